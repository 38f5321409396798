#include "worker/scored_completion.h"

namespace rft::worker {

Json to_json(const ScoredCompletion& scored) {
  Json line = {{"prompt", scored.request.prompt}, {"completion", scored.request.completion}};
  line["score"] = scored.result.score ? Json(*scored.result.score) : Json();
  if (!scored.result.reason.empty()) line["reason"] = scored.result.reason;
  if (!scored.result.valid) line["valid"] = false;
  for (const auto& [name, value] : scored.result.sub_scores) line["sub_scores"][name] = value;
  line["finish_reason"] = scored.request.finish_reason;
  line["completion_tokens"] = scored.request.completion_tokens;
  return line;
}

}  // namespace rft::worker
