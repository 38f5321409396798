#include "engine/ppo/diagnostics.h"

#include <ATen/ATen.h>

#include "engine/ppo/losses.h"

namespace rft::engine {

at::Tensor masked_mean(const at::Tensor& x, const at::Tensor& mask) {
  const at::Tensor counts = mask > 0;
  return at::where(counts, x, at::zeros_like(x)).sum() / counts.sum().clamp_min(1);
}

at::Tensor approx_kl(const at::Tensor& policy_log_probs, const at::Tensor& proximal_log_probs,
                     const at::Tensor& mask) {
  // k3 takes tokens sampled from its first argument, which the proximal policy was.
  return masked_mean(kl_estimate(proximal_log_probs, policy_log_probs, KlEstimator::k3), mask);
}

at::Tensor explained_variance(const at::Tensor& values, const at::Tensor& returns, const at::Tensor& mask) {
  const at::Tensor counts = mask > 0;
  const at::Tensor targets = returns.masked_select(counts),
                   residuals = targets - values.masked_select(counts);
  if (targets.numel() < 2) return at::zeros({}, values.options());
  const at::Tensor spread = targets.var(/*unbiased=*/false);
  const at::Tensor unexplained = residuals.var(/*unbiased=*/false) / spread;
  return at::where(spread > 0, 1 - unexplained, at::zeros_like(spread));
}

at::Tensor rollout_gap(const at::Tensor& rollout_log_probs, const at::Tensor& proximal_log_probs,
                       const at::Tensor& mask) {
  return masked_mean((rollout_log_probs.exp() - proximal_log_probs.exp()).abs(), mask);
}

}  // namespace rft::engine
