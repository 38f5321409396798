// One completion with its text, as it goes to the scorer and into the journals.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "engine/rollout/generate.h"
#include "plugins/scorer_host.h"
#include "worker/dataset.h"

namespace rft::worker {

struct ScoredCompletion {
  const Example* example = nullptr;
  int64_t sample = 0;  // among the completions of its prompt
  engine::Completion completion;
  plugins::ScoreRequest request;
  plugins::ScoreResult result;
};

// The journals' line for it: prompt, completion, score, reason, sub_scores, … (docs/files.md).
Json to_json(const ScoredCompletion& scored);

}  // namespace rft::worker
