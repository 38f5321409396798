// The hyperparameters of an update, as plain values. Names and defaults are those of a job's [ppo] and
// [training] sections.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/optim/schedule.h"

namespace rft::engine {

enum class AdvantageEstimator { gae, grpo, dr_grpo, rloo, reinforce_pp, reinforce_pp_baseline };
enum class KlEstimator { k1, k2, k3 };
enum class KlPlacement { automatic, reward, loss };
enum class ValueModel { head, separate };
enum class MissingEos { score, penalty, mask, bootstrap };
enum class LossNormalisation { automatic, token, sequence, constant };

// From the names a job uses ("reinforce++_baseline", "auto", …); throw Error(invalid_argument) that lists
// them.
AdvantageEstimator advantage_estimator_from_string(std::string_view name);
KlEstimator kl_estimator_from_string(std::string_view name);
KlPlacement kl_placement_from_string(std::string_view name);
ValueModel value_model_from_string(std::string_view name);
MissingEos missing_eos_from_string(std::string_view name);
LossNormalisation loss_normalisation_from_string(std::string_view name);

struct PpoOptions {
  AdvantageEstimator advantage_estimator = AdvantageEstimator::gae;
  int64_t num_ppo_epochs = 4;  // passes over an iteration's episodes
  int64_t minibatches = 4;     // optimiser steps in a pass
  double clip_range = 0.2;
  double clip_range_high = 0;  // 0: the same as clip_range
  double dual_clip = 0;        // 0: off; else > 1, 3 as published
  ValueModel value_model = ValueModel::head;
  double value_clip_range = 0.2;  // 0: off
  double value_coef = 0.1;
  double entropy_coef = 0;
  double gamma = 1.0;
  double gae_lambda = 0.95;
  double kl_coef = 0.05;
  // As a loss, k3 is what GRPO published and k2 has the reverse-KL gradient on-policy; k1's own gradient has
  // expectation zero, so there k1 keeps its value and takes k2's gradient.
  KlEstimator kl_estimator = KlEstimator::k1;
  // automatic: in the reward for gae, rloo and reinforce++, a term of the loss for the others.
  KlPlacement kl_placement = KlPlacement::automatic;
  // What kl_to_reference (per token, mean) is steered to by moving kl_coef after each update; 0: off.
  double adaptive_kl_target = 0;
  double adaptive_kl_horizon = 10'000;  // episodes over which kl_coef moves by its error, at most a fifth
  double target_kl = 0;                 // an update ends early when approx_kl exceeds it; 0: off
  MissingEos missing_eos = MissingEos::score;
  double eos_penalty = 1.0;  // taken from the score of a cut episode under MissingEos::penalty
  LossNormalisation loss_normalisation = LossNormalisation::automatic;
  bool drop_equal_groups = false;  // leaves out the groups whose scores are all equal
  double importance_cap = 0;  // of the weights for what sampler and trainer disagree on; 0: off, 2 as usual

  double temperature = 1.0;      // of the rollouts; divides the logits of all four log-probs
  int64_t max_new_tokens = 128;  // the fixed length of LossNormalisation::constant

  double learning_rate = 5e-5;
  ScheduleKind schedule = ScheduleKind::constant;
  double min_learning_rate_ratio = 0;
  int64_t warmup_iterations = 0;
  double weight_decay = 0;
  double max_grad_norm = 1.0;  // 0: no clipping
  uint64_t seed = 0;

  // Padded tokens that go through the model at once while training; 0: as many as the activations of the
  // model leave room for in 2 GiB. It changes speed and memory, never the gradient.
  int64_t micro_batch_tokens = 0;
};

// Whether the estimator trains a critic.
bool has_critic(AdvantageEstimator estimator);
// Whether the estimator compares the samples of one prompt with each other.
bool needs_groups(AdvantageEstimator estimator);
// Whether the KL penalty is a term of the loss (else it is part of the reward).
bool kl_is_loss(const PpoOptions& options);
// What `automatic` stands for: sequence for grpo, constant for dr_grpo, token for the others.
LossNormalisation resolve_normalisation(LossNormalisation asked, AdvantageEstimator estimator);
// Throws Error(invalid_argument), its field the option's name, for values that are out of range or exclude
// each other.
void check_options(const PpoOptions& options);

}  // namespace rft::engine
