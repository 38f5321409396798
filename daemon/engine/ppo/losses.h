// The terms of the loss, token by token. Pure functions: no reduction happens here but in loss_weights, so
// that micro-batches of a minibatch add up to its one gradient.
//
// Notation (engine/README.md): B sequences, T completion tokens, `…` any shape that all arguments share.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/ppo/options.h"

namespace rft::engine {

// The log-ratio is held within ±kMaxLogRatio before it is exponentiated, so that no ratio overflows.
inline constexpr double kMaxLogRatio = 20;

struct ClipOptions {
  double low = 0.2;      // ε below: the ratio is clipped at 1 - low
  double high = 0.2;     // ε above: … and at 1 + high ("clip higher": Yu et al. 2025, DAPO)
  double dual_clip = 0;  // c > 1 bounds the loss at -c·A where A < 0 (Ye et al. 2020); 0: off
};

struct PolicyLoss {
  at::Tensor loss;     // (…) per token, differentiable in policy_log_probs
  at::Tensor ratio;    // (…) exp(policy - proximal), detached
  at::Tensor clipped;  // (…) bool: the clipped branch is the larger loss
};

// max(-A·r, -A·clip(r, 1-low, 1+high)), r = exp(clamp(policy - proximal)). Schulman et al. 2017, eq. 7.
PolicyLoss clipped_policy_loss(const at::Tensor& policy_log_probs,    // (…)
                               const at::Tensor& proximal_log_probs,  // (…)
                               const at::Tensor& advantages,          // (…)
                               const ClipOptions& clip);

// min(exp(proximal - rollout), cap), detached: what a token's policy loss is multiplied by where the sampler
// and the trainer do not quite agree. (Yao et al. 2025, truncated importance sampling)
at::Tensor importance_weights(const at::Tensor& proximal_log_probs,  // (…)
                              const at::Tensor& rollout_log_probs,   // (…)
                              double cap);                           // -> (…)

// 0.5·max((V-R)², (V_old + clip(V-V_old, ±range) - R)²) per token; range 0: 0.5·(V-R)². The form of the
// original PPO code (Huang et al. 2022, detail 9).
at::Tensor clipped_value_loss(const at::Tensor& values,      // (…) now
                              const at::Tensor& old_values,  // (…) before the update
                              const at::Tensor& returns,     // (…)
                              double range);

// Estimators of KL(p ‖ reference) from tokens sampled from p, d = log p - log reference:
// k1 = d, k2 = d²/2, k3 = e^(-d) - 1 + d (Schulman 2020, "Approximating KL divergence").
at::Tensor kl_estimate(const at::Tensor& log_probs,            // (…)
                       const at::Tensor& reference_log_probs,  // (…)
                       KlEstimator estimator);

// The same as a term of the loss, differentiable in policy_log_probs. k1 keeps its value and takes k2's
// gradient, d·∇log p, which is that of the reverse KL on-policy; k1's own has expectation zero.
at::Tensor kl_loss(const at::Tensor& policy_log_probs,     // (…)
                   const at::Tensor& reference_log_probs,  // (…)
                   KlEstimator estimator);

// What each token's loss is multiplied by, so that the sum over a minibatch is its loss:
//   token     1 / (completion tokens of the minibatch)
//   sequence  1 / (tokens of its sequence) / (sequences that have any)           GRPO as published
//   constant  1 / (B · constant_length)                                          Dr. GRPO
// Zero where the mask is; all zero for a minibatch without a token.
at::Tensor loss_weights(const at::Tensor& completion_mask,  // (B, T) 0 or 1
                        LossNormalisation normalisation,    // not automatic
                        int64_t constant_length);           // -> (B, T) float32

}  // namespace rft::engine
