#include "engine/ppo/frozen_iteration.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "engine/model/decoder.h"
#include "engine/ppo/advantages.h"
#include "engine/ppo/diagnostics.h"
#include "engine/ppo/losses.h"
#include "engine/ppo/model_pass.h"
#include "engine/ppo/selection.h"

namespace rft::engine {
namespace {

void check_episode(const Episode& episode, size_t index, int64_t vocab_size) {
  const auto refuse = [index](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "episode " + std::to_string(index) + ": " + what);
  };
  if (episode.prompt_ids.empty()) refuse("its prompt has no token");
  if (episode.completion_ids.empty()) refuse("its completion has no token");
  if (episode.rollout_log_probs.size() != episode.completion_ids.size()) {
    refuse("it has " + std::to_string(episode.rollout_log_probs.size()) + " rollout log-probs for " +
           std::to_string(episode.completion_ids.size()) + " completion tokens");
  }
  // As the float32 that it is computed with.
  if (!std::isfinite(static_cast<float>(episode.score))) refuse("its score is not a finite number");
  for (const std::vector<int64_t>* ids : {&episode.prompt_ids, &episode.completion_ids}) {
    for (const int64_t id : *ids) {
      if (id < 0 || id >= vocab_size) refuse("token " + std::to_string(id) + " is not in the vocabulary");
    }
  }
}

// The episodes' own data as tensors; nothing of the model's yet.
FrozenIteration lay_out(std::span<const Episode> episodes, const PpoOptions& options, at::Device device) {
  const int64_t count = static_cast<int64_t>(episodes.size());
  size_t longest = 0;
  for (const Episode& episode : episodes) longest = std::max(longest, episode.completion_ids.size());

  const Selection selection = select_episodes(episodes, options);
  FrozenIteration iteration;
  iteration.num_equal_groups = selection.num_equal_groups;
  iteration.episode_mask = at::zeros({count, static_cast<int64_t>(longest)});
  iteration.rollout_log_probs = at::zeros_like(iteration.episode_mask);
  at::Tensor counts = at::zeros({count, 1});
  for (int64_t i = 0; i < count; ++i) {
    const Episode& episode = episodes[i];
    iteration.sequences.push_back({episode.prompt_ids, episode.completion_ids});
    const int64_t offset = i * static_cast<int64_t>(longest);
    std::fill_n(iteration.episode_mask.data_ptr<float>() + offset, episode.completion_ids.size(), 1.0F);
    std::copy(episode.rollout_log_probs.begin(), episode.rollout_log_probs.end(),
              iteration.rollout_log_probs.data_ptr<float>() + offset);
    if (selection.standing[i] != Standing::counts) continue;
    iteration.trained.push_back(i);
    counts.data_ptr<float>()[i] = 1;
  }
  iteration.episode_mask = iteration.episode_mask.to(device);
  iteration.rollout_log_probs = iteration.rollout_log_probs.to(device);
  iteration.completion_mask = iteration.episode_mask * counts.to(device);
  iteration.groups = at::tensor(selection.groups, at::kLong).to(device);
  iteration.scores = selection.scores.to(device);
  return iteration;
}

// What one model says of every episode, as (N, T) tensors; V after the last token as (N).
struct Statements {
  at::Tensor log_probs, entropy, values, end_values;
};

Statements ask(const Decoder& decoder, const Critic* critic, const FrozenIteration& iteration,
               const PpoOptions& options, Ranks& ranks, bool with_entropy, bool with_end_values) {
  const int64_t length = iteration.episode_mask.size(1);
  const auto cells = [&iteration] { return at::zeros_like(iteration.episode_mask); };
  Statements result{cells(), cells(), cells(), at::zeros_like(iteration.scores)};
  std::vector<int64_t> all(iteration.sequences.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const std::vector<int64_t> own = own_rows(iteration.sequences, all, ranks);
  const at::Device device = iteration.episode_mask.device();
  for (const std::vector<int64_t>& rows :
       micro_batches_for(decoder, iteration.sequences, own, options.micro_batch_tokens)) {
    const TokenBatch batch =
        make_token_batch(iteration.sequences, rows, Targets::completion, with_end_values, device);
    Evaluation said = evaluate(decoder, critic != nullptr ? critic->shared_head() : nullptr, batch,
                               options.temperature, with_entropy);
    if (critic != nullptr && critic->trunk != nullptr) {
      Values values = evaluate_values(*critic->trunk, critic->head, batch);
      said.values = std::move(values.values);
      said.end_values = std::move(values.end_values);
    }
    const at::Tensor places = batch.rows * length + batch.offsets;  // (M)
    result.log_probs.view({-1}).index_copy_(0, places, said.log_probs);
    if (with_entropy) result.entropy.view({-1}).index_copy_(0, places, said.entropy);
    if (critic != nullptr) result.values.view({-1}).index_copy_(0, places, said.values);
    if (with_end_values) {
      result.end_values.index_copy_(0, at::tensor(rows, at::kLong).to(device), said.end_values);
    }
  }
  // Each row is one rank's and zero on the others, so the sum is what that rank said.
  for (const at::Tensor& said : {result.log_probs, result.entropy, result.values, result.end_values})
    ranks.sum(said);
  return result;
}

}  // namespace

FrozenIteration freeze_iteration(std::span<const Episode> episodes, const Decoder& policy,
                                 const Decoder* reference, const Critic* critic, const PpoOptions& options,
                                 Ranks& ranks) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < episodes.size(); ++i) check_episode(episodes[i], i, policy.config().vocab_size);
  FrozenIteration iteration = lay_out(episodes, options, policy.options().device);
  if (iteration.trained.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "none of the iteration's " + std::to_string(episodes.size()) +
                    " episodes can be learned from: a group estimator needs two or more of a prompt, and "
                    "missing_eos = \"mask\" leaves out those that were cut");
  }
  const bool bootstraps = options.missing_eos == MissingEos::bootstrap;
  const Statements proximal =
      ask(policy, critic, iteration, options, ranks, /*with_entropy=*/true, bootstraps);
  iteration.proximal_log_probs = proximal.log_probs;
  iteration.entropy = proximal.entropy;
  if (options.importance_cap > 0) {
    iteration.importance =
        importance_weights(proximal.log_probs, iteration.rollout_log_probs, options.importance_cap);
  }
  at::Tensor kl = at::zeros_like(proximal.log_probs);  // (N, T), of the reward
  if (reference != nullptr) {
    iteration.reference_log_probs =
        ask(*reference, nullptr, iteration, options, ranks, false, false).log_probs;
    if (!kl_is_loss(options)) {
      kl = kl_estimate(proximal.log_probs, iteration.reference_log_probs, options.kl_estimator);
    }
  }

  AdvantageInputs inputs;
  inputs.rewards = token_rewards(kl, iteration.scores, iteration.completion_mask, options.kl_coef);
  inputs.completion_mask = iteration.completion_mask;
  inputs.groups = iteration.groups;
  if (critic != nullptr) {
    inputs.values = iteration.values = proximal.values;
    // Only a cut episode goes on after its last token.
    at::Tensor cut = at::zeros({static_cast<int64_t>(episodes.size())});
    for (size_t i = 0; i < episodes.size(); ++i)
      cut.data_ptr<float>()[i] = bootstraps && episodes[i].cut ? 1 : 0;
    inputs.bootstrap_values = proximal.end_values * cut.to(proximal.end_values.device());
  }
  const Advantages estimated =
      estimate_advantages(inputs, options.advantage_estimator, options.gamma, options.gae_lambda);
  iteration.advantages = estimated.advantages;
  iteration.returns = estimated.returns;
  return iteration;
}

std::map<std::string, double> iteration_metrics(const FrozenIteration& iteration, const PpoOptions& options) {
  const at::Tensor& mask = iteration.episode_mask;
  const auto number = [](const at::Tensor& x) { return x.item<double>(); };
  std::map<std::string, double> metrics;
  metrics["objective/paid_score_mean"] = number(iteration.scores.mean());
  metrics["objective/episodes_left_out"] =
      static_cast<double>(iteration.sequences.size() - iteration.trained.size());
  metrics["policy/entropy"] = number(masked_mean(iteration.entropy, mask));
  metrics["policy/rollout_gap"] =
      number(rollout_gap(iteration.rollout_log_probs, iteration.proximal_log_probs, mask));
  if (iteration.reference_log_probs.defined()) {
    const auto mean_kl = [&](KlEstimator estimator) {
      return number(masked_mean(
          kl_estimate(iteration.proximal_log_probs, iteration.reference_log_probs, estimator), mask));
    };
    metrics["objective/kl_to_reference"] = mean_kl(KlEstimator::k1);
    metrics["objective/kl_to_reference_k3"] = mean_kl(KlEstimator::k3);
  }
  if (iteration.values.defined()) {
    metrics["value/mean"] = number(masked_mean(iteration.values, iteration.completion_mask));
    metrics["value/return_mean"] = number(masked_mean(iteration.returns, iteration.completion_mask));
    metrics["value/explained_variance"] =
        number(explained_variance(iteration.values, iteration.returns, iteration.completion_mask));
  }
  if (iteration.importance.defined())
    metrics["policy/importance_weight"] = number(masked_mean(iteration.importance, mask));
  if (needs_groups(options.advantage_estimator))
    metrics["objective/equal_score_groups"] = static_cast<double>(iteration.num_equal_groups);
  return metrics;
}

std::vector<float> kl_per_episode(const FrozenIteration& iteration) {
  const at::Tensor& mask = iteration.episode_mask;
  at::Tensor kl = at::zeros({mask.size(0)});
  if (iteration.reference_log_probs.defined()) {
    const at::Tensor d =
        kl_estimate(iteration.proximal_log_probs, iteration.reference_log_probs, KlEstimator::k1);
    kl = ((d * mask).sum(1) / mask.sum(1)).to(at::kCPU).contiguous();
  }
  return {kl.data_ptr<float>(), kl.data_ptr<float>() + kl.numel()};
}

}  // namespace rft::engine
