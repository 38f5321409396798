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

// What of their rollout can be scored before its end.
RolloutScoring begin_scoring(Run& run, const Prompts& prompts);

Completions roll_out(Run& run, const Prompts& prompts, RolloutScoring& scoring);

// The scored episodes of the iteration; those that could not be scored are missing where the job allows it.
std::vector<ScoredCompletion> score(Run& run, RolloutScoring& scoring, Completions&& completions);

// Under `dynamic_sampling = "refill"`: samples and scores further prompts, in an order of this iteration's
// own, until as many as it began with have scores that differ, or `max_sampling_rounds` are over.
void refill(Run& run, const Prompts& prompts, std::vector<ScoredCompletion>& episodes);

// Updates the policy, journals the episodes and reports the iteration's metrics. Throws Error(plugin) where
// no episode could be scored.
void update_policy(Run& run, const std::vector<ScoredCompletion>& episodes);

// Whether an epoch is over whose validation is still to do.
bool epoch_ended(const Run& run);
// Validates, keeps the checkpoint if it is among the best, and reacts as `[validation]` says.
void validate_epoch(Run& run);

bool finished(const Run& run);

}  // namespace rft::worker
