#include "engine/ppo/minibatch.h"

#include <ATen/ATen.h>

#include "engine/model/decoder.h"
#include "engine/ppo/losses.h"
#include "engine/ppo/model_pass.h"

namespace rft::engine {
namespace {

// The sums that become a MinibatchReport; on the device until the minibatch is done.
struct Sums {
  at::Tensor approx_kl, ratio, clipped;                  // () over tokens
  at::Tensor max_ratio_deviation;                        // ()
  at::Tensor policy_loss, value_loss, entropy, kl_loss;  // () weighted
};

// The frozen tensors at some tokens of the minibatch, each (count).
struct TokenConstants {
  at::Tensor weight, importance, proximal, advantages, reference, values, returns;
};

TokenConstants constants_at(const FrozenIteration& frozen, const at::Tensor& weights /*(N, T)*/,
                            const at::Tensor& places /*(count) into N·T*/) {
  const auto at_places = [&places](const at::Tensor& cells) {
    return cells.defined() ? cells.view({-1}).index_select(0, places) : at::Tensor();
  };
  return {.weight = at_places(weights),
          .importance = at_places(frozen.importance),
          .proximal = at_places(frozen.proximal_log_probs),
          .advantages = at_places(frozen.advantages),
          .reference = at_places(frozen.reference_log_probs),
          .values = at_places(frozen.values),
          .returns = at_places(frozen.returns)};
}

// The term that the critic's tokens add to the loss, differentiable.
at::Tensor value_term(const TokenConstants& at_tokens, const at::Tensor& values_now,
                      const PpoOptions& options, Sums& sums) {
  const at::Tensor per_token =
      clipped_value_loss(values_now, at_tokens.values, at_tokens.returns, options.value_clip_range);
  const at::Tensor term = (per_token * at_tokens.weight).sum();
  sums.value_loss += term.detach();
  return options.value_coef * term;
}

// The loss of some tokens, differentiable, and its terms added to the sums.
at::Tensor token_loss(const TokenConstants& at_tokens, const TokenLogProbs& now, const at::Tensor& values_now,
                      const PpoOptions& options, Sums& sums) {
  const double high = options.clip_range_high > 0 ? options.clip_range_high : options.clip_range;
  const PolicyLoss policy = clipped_policy_loss(now.log_probs, at_tokens.proximal, at_tokens.advantages,
                                                {options.clip_range, high, options.dual_clip});
  sums.approx_kl += kl_estimate(at_tokens.proximal, now.log_probs.detach(), KlEstimator::k3).sum();
  sums.ratio += policy.ratio.sum();
  sums.clipped += policy.clipped.sum();
  sums.max_ratio_deviation =
      at::maximum(sums.max_ratio_deviation, (policy.ratio - 1).abs().max().to(at::kDouble));

  at::Tensor policy_loss = policy.loss * at_tokens.weight;
  if (at_tokens.importance.defined()) policy_loss = policy_loss * at_tokens.importance;
  at::Tensor total = policy_loss.sum();
  sums.policy_loss += total.detach();
  const auto add_term = [&](double coefficient, const at::Tensor& per_token, at::Tensor& sum) {
    const at::Tensor term = (per_token * at_tokens.weight).sum();
    sum += term.detach();
    total = total + coefficient * term;
  };
  if (values_now.defined()) total = total + value_term(at_tokens, values_now, options, sums);
  if (options.entropy_coef != 0) add_term(-options.entropy_coef, now.entropy, sums.entropy);
  if (at_tokens.reference.defined() && kl_is_loss(options)) {
    add_term(options.kl_coef, kl_loss(now.log_probs, at_tokens.reference, options.kl_estimator),
             sums.kl_loss);
  }
  return total;
}

}  // namespace

MinibatchReport accumulate_minibatch(const Decoder& policy, const Critic* critic,
                                     const FrozenIteration& frozen, const std::vector<int64_t>& minibatch,
                                     const PpoOptions& options, Ranks& ranks) {
  const at::Tensor& mask = frozen.completion_mask;  // (N, T)
  const at::Device device = mask.device();
  const at::Tensor members = at::tensor(minibatch, at::kLong).to(device);
  const at::Tensor minibatch_mask = mask.index_select(0, members);
  const at::Tensor weights = at::zeros_like(mask).index_copy_(
      0, members, loss_weights(minibatch_mask, options.loss_normalisation, options.max_new_tokens));

  const auto zero = [device] { return at::zeros({}, at::TensorOptions(device).dtype(at::kDouble)); };
  Sums sums{zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
  const ValueHead* shared_head = critic != nullptr ? critic->shared_head() : nullptr;
  const std::vector<int64_t> own = own_rows(frozen.sequences, minibatch, ranks);
  for (const std::vector<int64_t>& rows :
       micro_batches_for(policy, frozen.sequences, own, options.micro_batch_tokens)) {
    const TokenBatch batch =
        make_token_batch(frozen.sequences, rows, Targets::completion, /*feed_ends=*/false, device);
    const at::Tensor places = batch.rows * mask.size(1) + batch.offsets;  // (M)
    accumulate_gradients(
        policy, batch, options.temperature, options.entropy_coef != 0,
        [&](const at::Tensor& hidden, const TokenLogProbs& now, int64_t begin, int64_t count) {
          const at::Tensor values_now = shared_head != nullptr ? shared_head->values(hidden) : at::Tensor();
          return token_loss(constants_at(frozen, weights, places.narrow(0, begin, count)), now, values_now,
                            options, sums);
        });
    if (critic != nullptr && critic->trunk != nullptr) {
      accumulate_value_gradients(*critic->trunk, critic->head, batch, [&](const at::Tensor& values_now) {
        return value_term(constants_at(frozen, weights, places), values_now, options, sums);
      });
    }
  }

  for (const at::Tensor& sum : {sums.approx_kl, sums.ratio, sums.clipped, sums.policy_loss, sums.value_loss,
                                sums.entropy, sums.kl_loss})
    ranks.sum(sum);
  ranks.maximum(sums.max_ratio_deviation);
  const auto number = [](const at::Tensor& x) { return x.item<double>(); };
  const double num_tokens = std::max(number(minibatch_mask.sum()), 1.0);
  return {.approx_kl = number(sums.approx_kl) / num_tokens,
          .ratio = number(sums.ratio) / num_tokens,
          .max_ratio_deviation = number(sums.max_ratio_deviation),
          .clip_fraction = number(sums.clipped) / num_tokens,
          .policy_loss = number(sums.policy_loss),
          .value_loss = number(sums.value_loss),
          .entropy = number(sums.entropy),
          .kl_loss = number(sums.kl_loss)};
}

}  // namespace rft::engine
