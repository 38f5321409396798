#include "engine/ppo/advantages.h"

#include <ATen/ATen.h>

#include <vector>

#include "base/error.h"

namespace rft::engine {
namespace {

// Per episode, its group's sum of `x` and its group's size.
struct GroupSums {
  at::Tensor sum;    // (B)
  at::Tensor count;  // (B)
};

GroupSums group_sums(const at::Tensor& x, const at::Tensor& groups) {
  const int64_t num_groups = groups.numel() == 0 ? 0 : groups.max().item<int64_t>() + 1;
  const at::Tensor sums = at::zeros({num_groups}, x.options()).index_add(0, groups, x);
  const at::Tensor counts = at::zeros({num_groups}, x.options()).index_add(0, groups, at::ones_like(x));
  return {sums.index_select(0, groups), counts.index_select(0, groups)};
}

// A number per episode, at each of its completion tokens.
at::Tensor over_tokens(const at::Tensor& per_episode, const at::Tensor& completion_mask) {
  return per_episode.unsqueeze(1) * completion_mask.to(per_episode.scalar_type());
}

}  // namespace

at::Tensor paid_scores(const at::Tensor& scores, const at::Tensor& cut, MissingEos missing_eos,
                       double eos_penalty) {
  switch (missing_eos) {
    case MissingEos::score:
    case MissingEos::mask:
      return scores;
    case MissingEos::penalty:
      return at::where(cut, scores - eos_penalty, scores);
    case MissingEos::bootstrap:
      return at::where(cut, at::zeros_like(scores), scores);
  }
  throw Error(ErrorCode::internal, "unknown missing_eos");
}

at::Tensor token_rewards(const at::Tensor& kl, const at::Tensor& scores, const at::Tensor& completion_mask,
                         double kl_coef) {
  const at::Tensor mask = completion_mask.to(kl.scalar_type());
  // A token is the last one when nothing unmasked follows it.
  const at::Tensor from_here = mask.flip({1}).cumsum(1).flip({1});  // (B, T) unmasked tokens from t on
  const at::Tensor last = mask * (from_here == 1);                  // (B, T)
  // `where`, not a product: a masked position may hold anything, also an infinity.
  return at::where(mask > 0, -kl_coef * kl, at::zeros_like(kl)) + last * scores.unsqueeze(1);
}

at::Tensor gae(const at::Tensor& rewards, const at::Tensor& values, const at::Tensor& completion_mask,
               const at::Tensor& bootstrap_values, double gamma, double lambda) {
  const int64_t length = rewards.size(1);
  const at::Tensor mask = completion_mask > 0;                // (B, T)
  at::Tensor next_value = bootstrap_values;                   // (B)
  at::Tensor accumulated = at::zeros_like(bootstrap_values);  // (B)
  std::vector<at::Tensor> columns(length);
  for (int64_t t = length - 1; t >= 0; --t) {
    const at::Tensor here = mask.select(1, t), value = values.select(1, t);
    const at::Tensor delta = rewards.select(1, t) + gamma * next_value - value;
    accumulated = at::where(here, delta + gamma * lambda * accumulated, accumulated);
    next_value = at::where(here, value, next_value);
    columns[t] = at::where(here, accumulated, at::zeros_like(accumulated));
  }
  return length == 0 ? at::zeros_like(rewards) : at::stack(columns, 1);
}

at::Tensor rewards_to_go(const at::Tensor& rewards, const at::Tensor& completion_mask, double gamma) {
  // GAE with λ = 1 and no values is the discounted sum.
  const at::Tensor no_values = at::zeros_like(rewards);
  return gae(rewards, no_values, completion_mask, at::zeros({rewards.size(0)}, rewards.options()), gamma, 1);
}

at::Tensor whiten(const at::Tensor& x, const at::Tensor& completion_mask) {
  const at::Tensor mask = completion_mask > 0;
  const at::Tensor unmasked = x.masked_select(mask);  // (N)
  at::Tensor result = x;
  if (unmasked.numel() >= 2) {
    const at::Tensor mean = unmasked.mean();
    const at::Tensor variance = unmasked.var(/*unbiased=*/true);
    result = (x - mean) / (variance + 1e-8).sqrt();
  }
  return at::where(mask, result, at::zeros_like(x));
}

at::Tensor group_centred(const at::Tensor& scores, const at::Tensor& groups) {
  const auto [sum, count] = group_sums(scores, groups);
  return scores - sum / count;
}

at::Tensor group_normalised(const at::Tensor& scores, const at::Tensor& groups) {
  const at::Tensor centred = group_centred(scores, groups);
  const auto [squares, count] = group_sums(centred.square(), groups);
  const at::Tensor deviation = (squares / (count - 1).clamp_min(1)).sqrt();
  return centred / (deviation + 1e-4);
}

at::Tensor group_leave_one_out(const at::Tensor& scores, const at::Tensor& groups) {
  const auto [sum, count] = group_sums(scores, groups);
  const at::Tensor alone = count < 2;
  const at::Tensor baseline = (sum - scores) / (count - 1).clamp_min(1);
  return at::where(alone, at::zeros_like(scores), scores - baseline);
}

Advantages estimate_advantages(const AdvantageInputs& inputs, AdvantageEstimator estimator, double gamma,
                               double lambda) {
  const at::Tensor& mask = inputs.completion_mask;
  const auto sequence_rewards = [&inputs] { return inputs.rewards.sum(1); };  // (B)
  switch (estimator) {
    case AdvantageEstimator::gae: {
      const at::Tensor raw = gae(inputs.rewards, inputs.values, mask, inputs.bootstrap_values, gamma, lambda);
      return {whiten(raw, mask), raw + at::where(mask > 0, inputs.values, at::zeros_like(inputs.values))};
    }
    case AdvantageEstimator::grpo:
      return {over_tokens(group_normalised(sequence_rewards(), inputs.groups), mask), {}};
    case AdvantageEstimator::dr_grpo:
      return {over_tokens(group_centred(sequence_rewards(), inputs.groups), mask), {}};
    case AdvantageEstimator::rloo:
      return {over_tokens(group_leave_one_out(sequence_rewards(), inputs.groups), mask), {}};
    case AdvantageEstimator::reinforce_pp:
      return {whiten(rewards_to_go(inputs.rewards, mask, gamma), mask), {}};
    case AdvantageEstimator::reinforce_pp_baseline:
      return {whiten(over_tokens(group_centred(sequence_rewards(), inputs.groups), mask), mask), {}};
  }
  throw Error(ErrorCode::internal, "unknown advantage estimator");
}

}  // namespace rft::engine
