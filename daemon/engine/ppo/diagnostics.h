// What an update says about itself. Pure functions; each answers a number (a 0-dimensional tensor) over the
// completion tokens, 0 when there is none.
#pragma once

#include <ATen/core/Tensor.h>

namespace rft::engine {

at::Tensor masked_mean(const at::Tensor& x, const at::Tensor& mask);  // (…), (…) -> ()

// The mean of r - 1 - log r, r = exp(policy - proximal): k3 of KL(proximal ‖ policy), never negative.
// (Schulman 2020)
at::Tensor approx_kl(const at::Tensor& policy_log_probs, const at::Tensor& proximal_log_probs,
                     const at::Tensor& mask);  // (…) each

// 1 - Var(R - V) / Var(R): 1 is perfect, 0 no better than a constant, negative worse. 0 when R is constant.
at::Tensor explained_variance(const at::Tensor& values, const at::Tensor& returns, const at::Tensor& mask);

// The mean of |exp(rollout) - exp(proximal)|: how far the sampler and the trainer disagree on the same
// tokens. Below 0.005 is healthy, above 0.01 an alarm.
at::Tensor rollout_gap(const at::Tensor& rollout_log_probs, const at::Tensor& proximal_log_probs,
                       const at::Tensor& mask);  // (…) each

}  // namespace rft::engine
