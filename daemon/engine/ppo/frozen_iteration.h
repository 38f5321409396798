// Everything that an update knows before its first step and never changes during it: the episodes as
// tensors, what the model said about them, and the advantages.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/ppo/critic.h"
#include "engine/ppo/episode.h"
#include "engine/ppo/options.h"
#include "engine/ppo/token_batch.h"
#include "engine/ranks.h"

namespace rft::engine {

class Decoder;

// N episodes, T the longest completion.
struct FrozenIteration {
  std::vector<TokenSequence> sequences;  // (N) views of the episodes
  std::vector<int64_t> trained;          // the episodes that count in the loss
  at::Tensor episode_mask;               // (N, T) 1 at every completion token
  at::Tensor completion_mask;            // (N, T) the same, without the episodes that do not count
  at::Tensor scores;                     // (N) as paid
  at::Tensor groups;                     // (N) int64 from 0
  int64_t num_equal_groups = 0;          // those that carry no signal
  at::Tensor rollout_log_probs;          // (N, T)
  at::Tensor proximal_log_probs;         // (N, T)
  at::Tensor reference_log_probs;        // (N, T); undefined without a reference
  at::Tensor importance;                 // (N, T) importance_weights; undefined unless asked for
  at::Tensor entropy;                    // (N, T) of the policy before the update
  at::Tensor values;                     // (N, T); undefined without a critic
  at::Tensor advantages;                 // (N, T)
  at::Tensor returns;                    // (N, T); undefined without a critic
};

// Lays the episodes out, runs the policy, the reference and the critic (both may be null) over them once, and
// estimates the advantages. selection.h says which episodes count. Ranks divide the passes through the models
// between them and end with the same iteration. Throws Error(invalid_argument) for a malformed episode and
// when none is left to learn from.
FrozenIteration freeze_iteration(std::span<const Episode> episodes, const Decoder& policy,
                                 const Decoder* reference, const Critic* critic, const PpoOptions& options,
                                 Ranks& ranks = Ranks::alone());

// What can be said of the iteration before its update: "objective/…", "value/…", "policy/entropy", ….
std::map<std::string, double> iteration_metrics(const FrozenIteration& iteration, const PpoOptions& options);

// (N) the mean over each episode's completion tokens of proximal - reference log-prob; 0 without a reference.
std::vector<float> kl_per_episode(const FrozenIteration& iteration);

}  // namespace rft::engine
