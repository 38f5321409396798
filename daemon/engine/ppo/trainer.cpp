#include "engine/ppo/trainer.h"

#include <algorithm>
#include <optional>

#include "engine/checkpoint/training_state.h"
#include "engine/model/decoder.h"
#include "engine/optim/adamw.h"
#include "engine/ppo/adaptive_kl.h"
#include "engine/ppo/critic.h"
#include "engine/ppo/frozen_iteration.h"
#include "engine/ppo/minibatch.h"
#include "engine/ppo/permutation.h"
#include "engine/ppo/selection.h"

namespace rft::engine {
namespace {

// A minibatch whose mean ratio is beyond this is not one that the clipping was made for; it is left out.
constexpr double kMaxMeanRatio = 10;

// `order` in at most `parts` runs of nearly equal length, none empty.
std::vector<std::vector<int64_t>> split(const std::vector<int64_t>& order, int64_t parts) {
  const auto size = static_cast<int64_t>(order.size());
  parts = std::min(parts, size);
  std::vector<std::vector<int64_t>> runs;
  for (int64_t i = 0; i < parts; ++i) {
    runs.emplace_back(order.begin() + size * i / parts, order.begin() + size * (i + 1) / parts);
  }
  return runs;
}

// The mean over an update's minibatches of what each one reported.
class Averages {
 public:
  void add(const std::string& name, double value) {
    Sum& sum = sums_[name];
    sum.total += value;
    ++sum.count;
  }
  void write_to(std::map<std::string, double>& metrics) const {
    for (const auto& [name, sum] : sums_) metrics[name] = sum.total / static_cast<double>(sum.count);
  }

 private:
  struct Sum {
    double total = 0;
    int64_t count = 0;
  };
  std::map<std::string, Sum> sums_;
};

std::optional<Critic> make_critic(const Decoder& policy, const PpoOptions& options) {
  if (!has_critic(options.advantage_estimator)) return std::nullopt;
  Critic critic{ValueHead::zeros(policy.config().hidden_size, policy.options().device), nullptr};
  if (options.value_model == ValueModel::separate) {
    critic.trunk = policy.frozen_copy();
    for (const NamedTensor& parameter : critic.trunk->trained_parameters())
      at::Tensor(parameter.tensor).requires_grad_();
  }
  return critic;
}

std::vector<NamedTensor> with_critic(std::vector<NamedTensor> tensors, const std::optional<Critic>& critic) {
  if (!critic) return tensors;
  tensors.push_back({"value_head.weight", critic->head.weight});
  tensors.push_back({"value_head.bias", critic->head.bias});
  if (critic->trunk == nullptr) return tensors;
  for (const NamedTensor& parameter : critic->trunk->trained_parameters())
    tensors.push_back({"value_model." + parameter.name, parameter.tensor});
  return tensors;
}

}  // namespace

struct PpoTrainer::State {
  Ranks& ranks;
  std::shared_ptr<Decoder> policy;
  std::shared_ptr<Decoder> reference;  // null until frozen
  PpoOptions options;                  // loss_normalisation resolved, kl_coef as it is now
  Schedule schedule;
  std::optional<Critic> critic;      // of estimators that have one
  std::vector<NamedTensor> trained;  // what the policy trains, then the critic
  AdamW optimiser;
  double learning_rate_scale = 1;

  State(std::shared_ptr<Decoder> trained_policy, const PpoOptions& chosen, int64_t num_iterations,
        Ranks& all_ranks);
  const Critic* critic_or_null() const { return critic ? &*critic : nullptr; }
  void weights_changed() {
    policy->weights_changed();
    if (critic && critic->trunk) critic->trunk->weights_changed();
  }
  double learning_rate(int64_t iteration) const {
    return options.learning_rate * learning_rate_scale * learning_rate_factor(schedule, iteration);
  }
  void run_epochs(const FrozenIteration& frozen, int64_t iteration, ProgressSink& progress,
                  std::map<std::string, double>& metrics);
  void report_minibatch(const MinibatchReport& minibatch, Averages& averages) const;
  void adapt_kl_coef(std::map<std::string, double>& metrics, size_t num_episodes);
};

PpoTrainer::State::State(std::shared_ptr<Decoder> trained_policy, const PpoOptions& chosen,
                         int64_t num_iterations, Ranks& all_ranks)
    : ranks(all_ranks),
      policy(std::move(trained_policy)),
      options(chosen),
      schedule{chosen.schedule, num_iterations, chosen.warmup_iterations, chosen.min_learning_rate_ratio},
      critic(make_critic(*policy, chosen)),
      trained(with_critic(policy->trained_parameters(), critic)),
      optimiser(tensors_of(trained),
                {.weight_decay = chosen.weight_decay, .max_grad_norm = chosen.max_grad_norm}) {
  options.loss_normalisation = resolve_normalisation(chosen.loss_normalisation, chosen.advantage_estimator);
}

void PpoTrainer::State::report_minibatch(const MinibatchReport& minibatch, Averages& averages) const {
  averages.add("policy/approx_kl", minibatch.approx_kl);
  averages.add("policy/clip_fraction", minibatch.clip_fraction);
  averages.add("policy/ratio", minibatch.ratio);
  averages.add("loss/policy", minibatch.policy_loss);
  if (critic) averages.add("loss/value", minibatch.value_loss);
  if (options.entropy_coef != 0) averages.add("loss/entropy", minibatch.entropy);
  if (reference && kl_is_loss(options)) averages.add("loss/kl", minibatch.kl_loss);
}

// num_ppo_epochs × minibatches optimiser steps, fewer if the policy moves too far.
void PpoTrainer::State::run_epochs(const FrozenIteration& frozen, int64_t iteration, ProgressSink& progress,
                                   std::map<std::string, double>& metrics) {
  Averages averages;
  int64_t seen = 0, steps = 0, skipped_minibatches = 0, skipped_steps = 0;
  bool stopped = false;
  const auto num_trained = static_cast<int64_t>(frozen.trained.size());
  const int64_t total = options.num_ppo_epochs * std::min(options.minibatches, num_trained);
  for (int64_t epoch = 0; epoch < options.num_ppo_epochs && !stopped; ++epoch) {
    std::vector<int64_t> order = permutation(num_trained, options.seed, iteration, epoch);
    for (int64_t& place : order) place = frozen.trained[place];
    for (const std::vector<int64_t>& members : split(order, options.minibatches)) {
      const MinibatchReport minibatch =
          accumulate_minibatch(*policy, critic_or_null(), frozen, members, options, ranks);
      report_minibatch(minibatch, averages);
      if (seen++ == 0) {
        metrics["policy/first_ratio_deviation"] = minibatch.max_ratio_deviation;
        metrics["policy/first_approx_kl"] = minibatch.approx_kl;
        metrics["policy/first_clip_fraction"] = minibatch.clip_fraction;
      }
      stopped = options.target_kl > 0 && minibatch.approx_kl > options.target_kl;
      if (stopped) break;
      if (minibatch.ratio > kMaxMeanRatio) {
        ++skipped_minibatches;
        optimiser.drop_gradients();
      } else {
        ranks.sum_gradients(optimiser.parameters());
        const AdamW::Step step = optimiser.step(learning_rate(iteration));
        ++(step.skipped ? skipped_steps : steps);
        if (!step.skipped) averages.add("policy/grad_norm", step.grad_norm);
        weights_changed();
      }
      progress.advance("update", seen, total, "steps");
    }
  }
  optimiser.drop_gradients();
  averages.write_to(metrics);
  metrics["policy/learning_rate"] = learning_rate(iteration);
  metrics["policy/steps"] = static_cast<double>(steps);
  metrics["policy/skipped_steps"] = static_cast<double>(skipped_steps);
  metrics["policy/skipped_minibatches"] = static_cast<double>(skipped_minibatches);
  metrics["policy/stopped_early"] = stopped ? 1 : 0;
}

// The iteration's own coefficient becomes a metric, and the next one's follows from the KL that was found.
void PpoTrainer::State::adapt_kl_coef(std::map<std::string, double>& metrics, size_t num_episodes) {
  if (!reference) return;
  metrics["objective/kl_coef"] = options.kl_coef;
  if (options.adaptive_kl_target == 0) return;
  options.kl_coef =
      adapted_kl_coef(options.kl_coef, metrics.at("objective/kl_to_reference"), options.adaptive_kl_target,
                      static_cast<double>(num_episodes), options.adaptive_kl_horizon);
}

PpoTrainer::PpoTrainer(std::shared_ptr<Decoder> policy, const PpoOptions& options, int64_t num_iterations,
                       Ranks& ranks) {
  check_options(options);
  state_ = std::make_unique<State>(std::move(policy), options, num_iterations, ranks);
}

PpoTrainer::~PpoTrainer() = default;

void PpoTrainer::freeze_reference() {
  state_->reference = state_->policy->frozen_copy();
  if (!state_->critic || !state_->critic->trunk) return;
  copy_into(state_->critic->trunk->trained_parameters(), tensors_of(state_->policy->trained_parameters()));
  state_->critic->trunk->weights_changed();
}

int64_t PpoTrainer::num_uneven_groups(std::span<const Episode> episodes) const {
  return select_episodes(episodes, state_->options).num_uneven_groups;
}

void PpoTrainer::scale_learning_rate(double factor) { state_->learning_rate_scale *= factor; }

UpdateReport PpoTrainer::update(std::span<const Episode> episodes, int64_t iteration,
                                ProgressSink& progress) {
  progress.advance("update", 0, state_->options.num_ppo_epochs * state_->options.minibatches, "steps");
  state_->policy->weights_changed();  // drops the rollout's packed copies: the update needs their memory
  const FrozenIteration frozen = freeze_iteration(episodes, *state_->policy, state_->reference.get(),
                                                  state_->critic_or_null(), state_->options, state_->ranks);
  // Drops the reference's rounded copies until it is asked again.
  if (state_->reference) state_->reference->weights_changed();
  UpdateReport report{iteration_metrics(frozen, state_->options), kl_per_episode(frozen)};
  state_->run_epochs(frozen, iteration, progress, report.metrics);
  state_->adapt_kl_coef(report.metrics, episodes.size());
  state_->ranks.expect_same(state_->optimiser.parameters());
  return report;
}

void PpoTrainer::save(const std::filesystem::path& dir) const {
  const AdamWState& moments = state_->optimiser.state();
  TrainingState saved;
  saved.kind = "ppo";
  saved.numbers = {{"learning_rate_scale", state_->learning_rate_scale},
                   {"optimiser_steps", moments.num_steps},
                   {"kl_coef", state_->options.kl_coef}};
  saved.files["trained"] = state_->trained;
  saved.files["first_moments"] = named_like(state_->trained, moments.first_moments);
  saved.files["second_moments"] = named_like(state_->trained, moments.second_moments);
  if (state_->reference) saved.files["reference"] = state_->reference->trained_parameters();
  write_training_state(dir, saved);
}

void PpoTrainer::load(const std::filesystem::path& dir) {
  const TrainingState saved = read_training_state(dir, "ppo");
  // Everything is checked before anything is changed.
  const std::vector<at::Tensor> trained = stored_tensors(saved, "trained", state_->trained, dir);
  const AdamWState moments{stored_tensors(saved, "first_moments", state_->trained, dir),
                           stored_tensors(saved, "second_moments", state_->trained, dir),
                           static_cast<int64_t>(stored_number(saved, "optimiser_steps", dir))};
  const double learning_rate_scale = stored_number(saved, "learning_rate_scale", dir);
  // States from before the coefficient could move do not have it.
  const bool moves = state_->options.adaptive_kl_target > 0 && saved.numbers.contains("kl_coef");
  const double kl_coef = moves ? stored_number(saved, "kl_coef", dir) : state_->options.kl_coef;
  std::vector<at::Tensor> reference;
  if (saved.files.contains("reference")) {
    reference = stored_tensors(saved, "reference", state_->policy->trained_parameters(), dir);
  }

  copy_into(state_->trained, trained);
  state_->weights_changed();
  state_->optimiser.restore(moments);
  state_->learning_rate_scale = learning_rate_scale;
  state_->options.kl_coef = kl_coef;
  state_->reference.reset();
  if (!reference.empty()) {
    state_->reference = state_->policy->frozen_copy();
    copy_into(state_->reference->trained_parameters(), reference);
    state_->reference->weights_changed();
  }
}

}  // namespace rft::engine
