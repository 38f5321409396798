// One scored prompt and completion, as the trainer takes it. The token ids are the very ones that were
// sampled: nothing is tokenised again on the way.
#pragma once

#include <cstdint>
#include <vector>

namespace rft::engine {

struct Episode {
  int64_t prompt_index = 0;         // the prompt's index in its data set; episodes that share it are a group
  int64_t sample = 0;               // which of the prompt's samples
  std::vector<int64_t> prompt_ids;  // (P), P >= 1
  std::vector<int64_t>
      completion_ids;  // (T), T >= 1; the end-of-sequence token included where one was sampled
  std::vector<float> rollout_log_probs;  // (T), by the sampler, at the sampling temperature
  bool cut = false;                      // ended by the length limit, not by itself
  double score = 0;  // the scorer's; finite. An episode whose scoring failed never comes here
};

}  // namespace rft::engine
