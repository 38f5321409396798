// The stages of one PPO iteration, and what an epoch's end decides.
#pragma once

#include <vector>

#include "engine/rollout/generate.h"
#include "worker/run.h"

namespace rft::worker {

using Prompts = std::vector<size_t>;  // indices into run.train
using Completions = std::vector<std::vector<engine::Completion>>;

// The prompts of the next iteration: each epoch goes through the training split in an order of its own.
Prompts next_prompts(const Run& run);

Completions roll_out(Run& run, const Prompts& prompts);

// The scored episodes of the iteration; those that could not be scored are missing where the job allows it.
// Throws Error(plugin) when none is left.
std::vector<ScoredCompletion> score(Run& run, const Prompts& prompts, Completions&& completions);

// Updates the policy, journals the episodes and reports the iteration's metrics.
void update_policy(Run& run, const std::vector<ScoredCompletion>& episodes);

// Whether an epoch is over whose validation is still to do.
bool epoch_ended(const Run& run);
// Validates, keeps the checkpoint if it is among the best, and reacts as `[validation]` says.
void validate_epoch(Run& run);

bool finished(const Run& run);

}  // namespace rft::worker
