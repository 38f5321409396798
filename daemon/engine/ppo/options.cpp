#include "engine/ppo/options.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"

namespace rft::engine {
namespace {

// The value that `name` has in `table`, or an error that lists the table's names.
template <typename T, size_t N>
T named(const std::array<std::pair<std::string_view, T>, N>& table, std::string_view name,
        const char* option) {
  std::string known;
  for (const auto& [known_name, value] : table) {
    if (known_name == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(known_name);
  }
  throw Error(ErrorCode::invalid_argument,
              std::string("unknown ") + option + " \"" + std::string(name) + "\"; use one of " + known,
              option);
}

void require(bool holds, const char* option, const char* rule) {
  if (!holds) throw Error(ErrorCode::invalid_argument, std::string(option) + " " + rule, option);
}

bool finite_at_least(double value, double least) { return std::isfinite(value) && value >= least; }

}  // namespace

AdvantageEstimator advantage_estimator_from_string(std::string_view name) {
  using enum AdvantageEstimator;
  static constexpr std::array<std::pair<std::string_view, AdvantageEstimator>, 6> kNames = {
      {{"gae", gae},
       {"grpo", grpo},
       {"dr_grpo", dr_grpo},
       {"rloo", rloo},
       {"reinforce++", reinforce_pp},
       {"reinforce++_baseline", reinforce_pp_baseline}}};
  return named(kNames, name, "advantage_estimator");
}

KlEstimator kl_estimator_from_string(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, KlEstimator>, 3> kNames = {
      {{"k1", KlEstimator::k1}, {"k2", KlEstimator::k2}, {"k3", KlEstimator::k3}}};
  return named(kNames, name, "kl_estimator");
}

KlPlacement kl_placement_from_string(std::string_view name) {
  using enum KlPlacement;
  static constexpr std::array<std::pair<std::string_view, KlPlacement>, 3> kNames = {
      {{"auto", automatic}, {"reward", reward}, {"loss", loss}}};
  return named(kNames, name, "kl_placement");
}

ValueModel value_model_from_string(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, ValueModel>, 2> kNames = {
      {{"head", ValueModel::head}, {"separate", ValueModel::separate}}};
  return named(kNames, name, "value_model");
}

MissingEos missing_eos_from_string(std::string_view name) {
  using enum MissingEos;
  static constexpr std::array<std::pair<std::string_view, MissingEos>, 4> kNames = {
      {{"score", score}, {"penalty", penalty}, {"mask", mask}, {"bootstrap", bootstrap}}};
  return named(kNames, name, "missing_eos");
}

LossNormalisation loss_normalisation_from_string(std::string_view name) {
  using enum LossNormalisation;
  static constexpr std::array<std::pair<std::string_view, LossNormalisation>, 4> kNames = {
      {{"auto", automatic}, {"token", token}, {"sequence", sequence}, {"constant", constant}}};
  return named(kNames, name, "loss_normalisation");
}

bool has_critic(AdvantageEstimator estimator) { return estimator == AdvantageEstimator::gae; }

bool needs_groups(AdvantageEstimator estimator) {
  return estimator != AdvantageEstimator::gae && estimator != AdvantageEstimator::reinforce_pp;
}

bool kl_is_loss(const PpoOptions& options) {
  if (options.kl_placement != KlPlacement::automatic) return options.kl_placement == KlPlacement::loss;
  const AdvantageEstimator estimator = options.advantage_estimator;
  return estimator == AdvantageEstimator::grpo || estimator == AdvantageEstimator::dr_grpo ||
         estimator == AdvantageEstimator::reinforce_pp_baseline;
}

LossNormalisation resolve_normalisation(LossNormalisation asked, AdvantageEstimator estimator) {
  if (asked != LossNormalisation::automatic) return asked;
  if (estimator == AdvantageEstimator::grpo) return LossNormalisation::sequence;
  if (estimator == AdvantageEstimator::dr_grpo) return LossNormalisation::constant;
  return LossNormalisation::token;
}

void check_options(const PpoOptions& options) {
  require(options.num_ppo_epochs >= 1, "num_ppo_epochs", "must be at least 1");
  require(options.minibatches >= 1, "minibatches", "must be at least 1");
  require(finite_at_least(options.clip_range, 0) && options.clip_range > 0 && options.clip_range < 1,
          "clip_range", "must be above 0 and below 1");
  require(finite_at_least(options.clip_range_high, 0), "clip_range_high", "must be at least 0");
  require(options.dual_clip == 0 || (std::isfinite(options.dual_clip) && options.dual_clip > 1), "dual_clip",
          "must be 0 (off) or above 1");
  require(options.value_model == ValueModel::head || has_critic(options.advantage_estimator), "value_model",
          "\"separate\" needs advantage_estimator \"gae\": the others train no critic");
  require(finite_at_least(options.value_clip_range, 0), "value_clip_range", "must be at least 0");
  require(finite_at_least(options.value_coef, 0), "value_coef", "must be at least 0");
  require(std::isfinite(options.entropy_coef), "entropy_coef", "must be finite");
  require(options.gamma >= 0 && options.gamma <= 1, "gamma", "must be from 0 to 1");
  require(options.gae_lambda >= 0 && options.gae_lambda <= 1, "gae_lambda", "must be from 0 to 1");
  require(finite_at_least(options.kl_coef, 0), "kl_coef", "must be at least 0");
  require(finite_at_least(options.adaptive_kl_target, 0), "adaptive_kl_target", "must be at least 0");
  require(finite_at_least(options.adaptive_kl_horizon, 1), "adaptive_kl_horizon", "must be at least 1");
  require(finite_at_least(options.target_kl, 0), "target_kl", "must be at least 0");
  require(!options.drop_equal_groups || needs_groups(options.advantage_estimator), "drop_equal_groups",
          "needs an advantage_estimator that compares the completions of a prompt");
  require(options.importance_cap == 0 || finite_at_least(options.importance_cap, 1), "importance_cap",
          "must be 0 (off) or at least 1");
  require(std::isfinite(options.eos_penalty), "eos_penalty", "must be finite");
  require(options.missing_eos != MissingEos::bootstrap || has_critic(options.advantage_estimator),
          "missing_eos",
          "\"bootstrap\" needs a value head, which only advantage_estimator \"gae\" trains; use \"score\", "
          "\"penalty\" or \"mask\"");
  require(std::isfinite(options.temperature) && options.temperature > 0, "temperature", "must be above 0");
  require(options.max_new_tokens >= 1, "max_new_tokens", "must be at least 1");
  require(finite_at_least(options.learning_rate, 0), "learning_rate", "must be at least 0");
  require(options.min_learning_rate_ratio >= 0 && options.min_learning_rate_ratio <= 1,
          "min_learning_rate_ratio", "must be from 0 to 1");
  require(options.warmup_iterations >= 0, "warmup_iterations", "must be at least 0");
  require(finite_at_least(options.weight_decay, 0), "weight_decay", "must be at least 0");
  require(finite_at_least(options.max_grad_norm, 0), "max_grad_norm", "must be at least 0");
  require(options.micro_batch_tokens >= 0, "micro_batch_tokens", "must be at least 0");
}

}  // namespace rft::engine
