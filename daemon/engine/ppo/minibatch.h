// One minibatch: the gradient of its whole loss, gathered over micro-batches.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/ppo/critic.h"
#include "engine/ppo/frozen_iteration.h"
#include "engine/ppo/options.h"
#include "engine/ranks.h"

namespace rft::engine {

class Decoder;

// What the minibatch's tokens looked like before the step that its gradient asks for.
struct MinibatchReport {
  double approx_kl = 0;            // mean over tokens, of the proximal policy from the present one
  double ratio = 0;                // mean over tokens
  double max_ratio_deviation = 0;  // the largest |r - 1|
  double clip_fraction = 0;        // share of tokens whose clipped loss is the larger
  double policy_loss = 0;          // the terms of the loss, before their coefficients
  double value_loss = 0;
  double entropy = 0;  // 0 unless entropy_coef asks for it
  double kl_loss = 0;  // 0 unless the KL penalty is a term of the loss
};

// Adds the gradient of policy + value_coef·value - entropy_coef·entropy (+ kl_coef·KL where it is a loss)
// over the episodes `minibatch` to the gradients of the policy and the critic (null without one).
// However the micro-batches are cut, the gradient is that of the one big batch. Of several ranks each adds
// its own rows' part of that gradient, and all answer the report of the whole minibatch.
// options.loss_normalisation is resolved.
MinibatchReport accumulate_minibatch(const Decoder& policy, const Critic* critic,
                                     const FrozenIteration& frozen, const std::vector<int64_t>& minibatch,
                                     const PpoOptions& options, Ranks& ranks = Ranks::alone());

}  // namespace rft::engine
