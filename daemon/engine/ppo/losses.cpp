#include "engine/ppo/losses.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace rft::engine {

PolicyLoss clipped_policy_loss(const at::Tensor& policy_log_probs, const at::Tensor& proximal_log_probs,
                               const at::Tensor& advantages, const ClipOptions& clip) {
  const at::Tensor ratio = (policy_log_probs - proximal_log_probs).clamp(-kMaxLogRatio, kMaxLogRatio).exp();
  const at::Tensor unclipped_loss = -advantages * ratio;
  const at::Tensor clipped_loss = -advantages * ratio.clamp(1 - clip.low, 1 + clip.high);
  at::Tensor loss = at::maximum(unclipped_loss, clipped_loss);
  if (clip.dual_clip > 0) {
    loss = at::where(advantages < 0, at::minimum(loss, -clip.dual_clip * advantages), loss);
  }
  return {loss, ratio.detach(), clipped_loss.detach() > unclipped_loss.detach()};
}

at::Tensor importance_weights(const at::Tensor& proximal_log_probs, const at::Tensor& rollout_log_probs,
                              double cap) {
  const at::Tensor log_ratio = (proximal_log_probs - rollout_log_probs).detach();
  return log_ratio.clamp(-kMaxLogRatio, kMaxLogRatio).exp().clamp_max(cap);
}

at::Tensor clipped_value_loss(const at::Tensor& values, const at::Tensor& old_values,
                              const at::Tensor& returns, double range) {
  const at::Tensor error = (values - returns).square();
  if (range <= 0) return 0.5 * error;
  const at::Tensor clipped = old_values + (values - old_values).clamp(-range, range);
  return 0.5 * at::maximum(error, (clipped - returns).square());
}

at::Tensor kl_estimate(const at::Tensor& log_probs, const at::Tensor& reference_log_probs,
                       KlEstimator estimator) {
  const at::Tensor d = log_probs - reference_log_probs;
  switch (estimator) {
    case KlEstimator::k1:
      return d;
    case KlEstimator::k2:
      return 0.5 * d.square();
    case KlEstimator::k3: {
      const at::Tensor bounded = d.clamp(-kMaxLogRatio, kMaxLogRatio);
      return (-bounded).expm1() + bounded;
    }
  }
  throw Error(ErrorCode::internal, "unknown KL estimator");
}

at::Tensor kl_loss(const at::Tensor& policy_log_probs, const at::Tensor& reference_log_probs,
                   KlEstimator estimator) {
  if (estimator != KlEstimator::k1) return kl_estimate(policy_log_probs, reference_log_probs, estimator);
  const at::Tensor k1 = kl_estimate(policy_log_probs, reference_log_probs, KlEstimator::k1).detach();
  const at::Tensor k2 = kl_estimate(policy_log_probs, reference_log_probs, KlEstimator::k2);
  return k1 + (k2 - k2.detach());
}

at::Tensor loss_weights(const at::Tensor& completion_mask, LossNormalisation normalisation,
                        int64_t constant_length) {
  const at::Tensor mask = completion_mask.to(at::kFloat);
  switch (normalisation) {
    case LossNormalisation::token:
      return mask / mask.sum().clamp_min(1);
    case LossNormalisation::sequence: {
      const at::Tensor lengths = mask.sum(-1, /*keepdim=*/true);  // (B, 1)
      return mask / lengths.clamp_min(1) / (lengths > 0).sum().clamp_min(1);
    }
    case LossNormalisation::constant:
      return mask / (static_cast<double>(mask.size(0)) * static_cast<double>(constant_length));
    case LossNormalisation::automatic:
      break;
  }
  throw Error(ErrorCode::internal, "the loss normalisation was not resolved");
}

}  // namespace rft::engine
