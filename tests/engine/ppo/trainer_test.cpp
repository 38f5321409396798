#include "engine/ppo/trainer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "engine/ppo/frozen_iteration.h"
#include "engine/ppo/minibatch.h"
#include "engine/support/tiny_policy.h"
#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;
using testing::made_up_episodes;
using testing::SilentProgress;
using testing::tiny_lora_policy;
using testing::tiny_policy;

constexpr AdvantageEstimator kEstimators[] = {
    AdvantageEstimator::gae,  AdvantageEstimator::grpo,         AdvantageEstimator::dr_grpo,
    AdvantageEstimator::rloo, AdvantageEstimator::reinforce_pp, AdvantageEstimator::reinforce_pp_baseline};

PpoOptions quick_options(AdvantageEstimator estimator = AdvantageEstimator::gae) {
  PpoOptions options;
  options.advantage_estimator = estimator;
  options.learning_rate = 1e-3;
  options.max_new_tokens = 10;
  return options;
}

at::Tensor all_gradients(const Decoder& policy) {
  std::vector<at::Tensor> flat;
  for (const NamedTensor& parameter : policy.parameters()) {
    flat.push_back(parameter.tensor.grad().flatten().clone());
    at::Tensor(parameter.tensor).mutable_grad() = at::Tensor();
  }
  return at::cat(flat);
}

// |actual - expected| / |expected|, of whole vectors.
double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).to(at::kDouble).norm() / expected.to(at::kDouble).norm()).item<double>();
}

// Within 1e-5 at float32, whatever the estimator: before the first step of an iteration nothing has moved,
// and before the first iteration the policy is the reference.
TEST(PpoInvariants, HoldInEveryIterationOfEveryEstimator) {
  for (const AdvantageEstimator estimator : kEstimators) {
    const auto policy = tiny_policy();
    PpoTrainer trainer(policy, quick_options(estimator), 3);
    trainer.freeze_reference();
    SilentProgress progress;
    for (int64_t iteration = 0; iteration < 3; ++iteration) {
      const auto report = trainer.update(made_up_episodes(*policy, 5, 4, iteration), iteration, progress);
      EXPECT_LT(report.metrics.at("policy/first_ratio_deviation"), 1e-5);
      EXPECT_LT(report.metrics.at("policy/first_approx_kl"), 1e-5);
      EXPECT_EQ(report.metrics.at("policy/first_clip_fraction"), 0);
      EXPECT_LT(report.metrics.at("policy/rollout_gap"), 1e-5);
      const double kl = report.metrics.at("objective/kl_to_reference");
      ASSERT_EQ(report.kl_to_reference.size(), 20u);
      if (iteration == 0) {
        EXPECT_LT(std::abs(kl), 1e-5);
        for (const float episode_kl : report.kl_to_reference) EXPECT_LT(std::abs(episode_kl), 1e-5);
      } else {
        EXPECT_GT(std::abs(kl), 1e-5) << "the policy did not move";
      }
      EXPECT_EQ(report.metrics.at("policy/steps"), 16);
      EXPECT_EQ(progress.last_done, 16);
      EXPECT_EQ(progress.last_total, 16);
    }
  }
}

// Of a critic that learns fast.
PpoOptions separate_critic_options() {
  PpoOptions options = quick_options();
  options.value_model = ValueModel::separate;
  options.value_coef = 0.5;
  options.value_clip_range = 0;  // a value may go as far as it wants to in one update
  options.num_ppo_epochs = 10;
  options.learning_rate = 5e-3;
  return options;
}

TEST(PpoLora, HoldsTheInvariantsAndLeavesTheBaseAlone) {
  for (const AdvantageEstimator estimator : kEstimators) {
    const auto policy = tiny_lora_policy();
    std::vector<at::Tensor> base;
    for (const NamedTensor& parameter : policy->parameters()) base.push_back(parameter.tensor.clone());
    PpoTrainer trainer(policy, quick_options(estimator), 2);
    trainer.freeze_reference();
    SilentProgress progress;
    for (int64_t iteration = 0; iteration < 2; ++iteration) {
      const auto report = trainer.update(made_up_episodes(*policy, 5, 4, iteration), iteration, progress);
      EXPECT_LT(report.metrics.at("policy/first_ratio_deviation"), 1e-5);
      EXPECT_LT(report.metrics.at("policy/rollout_gap"), 1e-5);
      const double kl = std::abs(report.metrics.at("objective/kl_to_reference"));
      if (iteration == 0)
        EXPECT_LT(kl, 1e-5);
      else
        EXPECT_GT(kl, 1e-6) << "the policy did not move";
    }
    for (size_t i = 0; i < base.size(); ++i) EXPECT_TRUE(policy->parameters()[i].tensor.equal(base[i]));
  }
}

TEST(PpoLora, ASeparateValueModelIsAnAdapterOfItsOwnOnTheSameBase) {
  const auto policy = tiny_lora_policy();
  std::vector<at::Tensor> base;
  for (const NamedTensor& parameter : policy->parameters()) base.push_back(parameter.tensor.clone());
  PpoTrainer trainer(policy, separate_critic_options(), 2);
  trainer.freeze_reference();
  SilentProgress progress;
  const auto episodes = made_up_episodes(*policy, 6, 4);
  trainer.update(episodes, 0, progress);
  EXPECT_GT(trainer.update(episodes, 1, progress).metrics.at("value/explained_variance"), 0.2);
  for (size_t i = 0; i < base.size(); ++i) EXPECT_TRUE(policy->parameters()[i].tensor.equal(base[i]));
}

// What a warm-up taught the adapter is part of the reference: "adapter off" would be another model.
TEST(PpoLora, TheReferenceIsTheAdapterAsItWasWhenPpoBegan) {
  const auto policy = tiny_lora_policy();
  {
    const at::NoGradGuard no_grad;
    for (const NamedTensor& factor : policy->trained_parameters()) at::Tensor(factor.tensor).add_(0.05);
    policy->weights_changed();
  }
  PpoTrainer trainer(policy, quick_options(), 1);
  trainer.freeze_reference();
  SilentProgress progress;
  const auto first = trainer.update(made_up_episodes(*policy, 5, 4), 0, progress);
  EXPECT_LT(std::abs(first.metrics.at("objective/kl_to_reference")), 1e-5);
  const auto second = trainer.update(made_up_episodes(*policy, 5, 4, 1), 1, progress);
  EXPECT_GT(std::abs(second.metrics.at("objective/kl_to_reference")), 1e-6);
}

TEST(PpoTrainer, RaisesTheOddsOfWhatScoredWell) {
  for (const AdvantageEstimator estimator : kEstimators) {
    const auto policy = tiny_policy();
    PpoOptions options = quick_options(estimator);
    options.learning_rate = 1e-2;
    options.kl_coef = 0;
    PpoTrainer trainer(policy, options, 1);
    std::vector<Episode> episodes = made_up_episodes(*policy, 6, 4);
    for (Episode& episode : episodes) episode.score = episode.sample % 2;
    SilentProgress progress;
    trainer.update(episodes, 0, progress);
    const at::NoGradGuard no_grad;
    double gained_by_good = 0, gained_by_bad = 0;
    for (const Episode& episode : episodes) {
      const at::Tensor now = testing::slow_log_probs(*policy, episode.prompt_ids, episode.completion_ids);
      const double gain =
          (now - at::tensor(at::ArrayRef<float>(episode.rollout_log_probs))).mean().item<double>();
      (episode.sample % 2 == 1 ? gained_by_good : gained_by_bad) += gain;
    }
    EXPECT_GT(gained_by_good, gained_by_bad + 0.1) << static_cast<int>(estimator);
  }
}

// However a minibatch is cut, its gradient is that of the whole.
TEST(PpoMinibatch, MicroBatchesAddUpToTheOneBigBatch) {
  const auto policy = tiny_policy();
  const auto reference = testing::tiny_policy(2);
  const std::vector<Episode> episodes = made_up_episodes(*policy, 4, 4);
  const std::vector<int64_t> members{3, 1, 14, 8, 9, 0, 5};
  for (const auto normalisation :
       {LossNormalisation::token, LossNormalisation::sequence, LossNormalisation::constant}) {
    for (const auto estimator : {AdvantageEstimator::gae, AdvantageEstimator::grpo}) {
      PpoOptions options = quick_options(estimator);
      options.loss_normalisation = normalisation;
      options.entropy_coef = 0.01;
      const Critic zero{ValueHead::zeros(16, at::kCPU), nullptr};
      const Critic* critic = has_critic(estimator) ? &zero : nullptr;
      const FrozenIteration frozen = freeze_iteration(episodes, *policy, reference.get(), critic, options);
      options.micro_batch_tokens = 1 << 20;
      const MinibatchReport whole = accumulate_minibatch(*policy, critic, frozen, members, options);
      const at::Tensor expected = all_gradients(*policy);
      options.micro_batch_tokens = 20;
      const MinibatchReport parts = accumulate_minibatch(*policy, critic, frozen, members, options);
      EXPECT_LT(relative_error(all_gradients(*policy), expected), 1e-6);
      EXPECT_NEAR(parts.policy_loss, whole.policy_loss, 1e-6);
      EXPECT_NEAR(parts.value_loss, whole.value_loss, 1e-6);
      EXPECT_NEAR(parts.kl_loss, whole.kl_loss, 1e-6);
      EXPECT_NEAR(parts.entropy, whole.entropy, 1e-6);
    }
  }
}

std::shared_ptr<Decoder> trainable_copy(const Decoder& policy) {
  auto copy = policy.frozen_copy();
  for (const NamedTensor& parameter : copy->parameters()) at::Tensor(parameter.tensor).requires_grad_();
  return copy;
}

// A value model of its own takes exactly the gradient that the value loss alone has through a shared trunk,
// and leaves the policy without it.
TEST(PpoMinibatch, ASeparateValueModelTakesTheValueLossAndThePolicyTheRest) {
  const auto policy = tiny_policy();
  const std::vector<Episode> episodes = made_up_episodes(*policy, 3, 3);
  PpoOptions options = quick_options();
  options.missing_eos = MissingEos::bootstrap;
  options.loss_normalisation = LossNormalisation::token;
  options.micro_batch_tokens = 20;
  const at::Tensor slope = at::linspace(-1, 1, 16).unsqueeze(0);
  const auto critic_on = [&](std::shared_ptr<Decoder> trunk) {
    Critic critic{ValueHead::zeros(16, at::kCPU), std::move(trunk)};
    critic.head.weight.detach().copy_(slope);
    return critic;
  };
  const Critic shared = critic_on(nullptr), separate = critic_on(trainable_copy(*policy));
  const auto frozen = freeze_iteration(episodes, *policy, nullptr, &shared, options);
  const auto frozen_apart = freeze_iteration(episodes, *policy, nullptr, &separate, options);
  EXPECT_TRUE(close(frozen_apart.values, frozen.values));
  EXPECT_TRUE(close(frozen_apart.returns, frozen.returns));

  const auto policy_gradient = [&](const Critic& critic, double value_coef) {
    options.value_coef = value_coef;
    accumulate_minibatch(*policy, &critic, frozen, frozen.trained, options);
    return all_gradients(*policy);
  };
  const at::Tensor whole = policy_gradient(shared, 0.5), without = policy_gradient(shared, 0);
  at::Tensor(separate.head.weight).mutable_grad() = at::Tensor();
  EXPECT_TRUE(close(policy_gradient(separate, 0.5), without, 1e-6));
  EXPECT_TRUE(close(all_gradients(*separate.trunk), whole - without, 1e-6));
  EXPECT_GT(separate.head.weight.grad().abs().max().item<double>(), 1e-3);
}

TEST(PpoTrainer, ASeparateValueModelLearnsTheReturns) {
  const auto policy = tiny_policy();
  PpoTrainer trainer(policy, separate_critic_options(), 2);
  trainer.freeze_reference();
  SilentProgress progress;
  const auto episodes = made_up_episodes(*policy, 6, 4);
  const double before = trainer.update(episodes, 0, progress).metrics.at("value/explained_variance");
  const double after = trainer.update(episodes, 1, progress).metrics.at("value/explained_variance");
  EXPECT_NEAR(before, 0, 1e-5) << "the head starts at zero";
  EXPECT_GT(after, 0.3);
}

TEST(PpoTrainer, MaskedEpisodesChangeNothing) {
  for (const AdvantageEstimator estimator : kEstimators) {
    PpoOptions options = quick_options(estimator);
    options.missing_eos = MissingEos::mask;
    SilentProgress progress;
    at::Tensor weights[2];
    for (const int64_t changed : {0, 1}) {
      const auto policy = tiny_policy();
      PpoTrainer trainer(policy, options, 1);
      std::vector<Episode> episodes = made_up_episodes(*policy, 4, 3);
      episodes[3].cut = true;
      if (changed == 1) {
        episodes[3].score = 100;
        episodes[3].completion_ids.assign(episodes[3].completion_ids.size(), 7);
      }
      trainer.update(episodes, 0, progress);
      weights[changed] = testing::all_weights(*policy);
    }
    EXPECT_TRUE(weights[0].equal(weights[1])) << static_cast<int>(estimator);
  }
}

TEST(PpoTrainer, TheKlPenaltyGoesWhereItIsPlaced) {
  for (const AdvantageEstimator estimator : kEstimators) {
    for (const KlPlacement placement : {KlPlacement::automatic, KlPlacement::reward, KlPlacement::loss}) {
      const auto policy = tiny_policy();
      const auto reference = testing::tiny_policy(2);
      PpoOptions options = quick_options(estimator);
      options.loss_normalisation = LossNormalisation::token;
      options.kl_placement = placement;
      const std::vector<Episode> episodes = made_up_episodes(*policy, 3, 3);
      const Critic zero{ValueHead::zeros(16, at::kCPU), nullptr};
      const Critic* critic = has_critic(estimator) ? &zero : nullptr;
      const auto with = freeze_iteration(episodes, *policy, reference.get(), critic, options);
      const auto without = freeze_iteration(episodes, *policy, nullptr, critic, options);
      const double kl_loss = accumulate_minibatch(*policy, critic, with, with.trained, options).kl_loss;
      const bool published_as_loss = estimator == AdvantageEstimator::grpo ||
                                     estimator == AdvantageEstimator::dr_grpo ||
                                     estimator == AdvantageEstimator::reinforce_pp_baseline;
      const bool as_loss =
          placement == KlPlacement::automatic ? published_as_loss : placement == KlPlacement::loss;
      EXPECT_EQ(kl_loss != 0, as_loss) << static_cast<int>(estimator);
      EXPECT_EQ(with.advantages.equal(without.advantages), as_loss) << static_cast<int>(estimator);
    }
  }
}

TEST(PpoTrainer, AnAdaptiveCoefficientFollowsTheKl) {
  const auto policy = tiny_policy();
  PpoOptions options = quick_options();
  options.adaptive_kl_target = 1e-4;
  options.adaptive_kl_horizon = 40;
  PpoTrainer trainer(policy, options, 3);
  trainer.freeze_reference();
  SilentProgress progress;
  double expected = options.kl_coef;
  for (int64_t iteration = 0; iteration < 3; ++iteration) {
    const auto metrics =
        trainer.update(made_up_episodes(*policy, 5, 4, iteration), iteration, progress).metrics;
    EXPECT_DOUBLE_EQ(metrics.at("objective/kl_coef"), expected);
    const double error = metrics.at("objective/kl_to_reference") / options.adaptive_kl_target - 1;
    expected *= 1 + std::clamp(error, -0.2, 0.2) * 20 / 40;
  }
  EXPECT_NE(expected, options.kl_coef);
}

// A weight on every token's policy loss is a factor of its gradient, and of nothing else.
TEST(PpoMinibatch, ImportanceWeightsScaleThePolicyLossAlone) {
  const auto policy = tiny_policy();
  const auto reference = testing::tiny_policy(2);
  PpoOptions options = quick_options(AdvantageEstimator::grpo);
  options.loss_normalisation = LossNormalisation::token;
  std::vector<Episode> episodes = made_up_episodes(*policy, 4, 4);
  for (Episode& episode : episodes)
    for (float& log_prob : episode.rollout_log_probs) log_prob -= std::log(1.5F);
  const auto run = [&](double cap) {
    options.importance_cap = cap;
    const auto frozen = freeze_iteration(episodes, *policy, reference.get(), nullptr, options);
    const MinibatchReport report = accumulate_minibatch(*policy, nullptr, frozen, frozen.trained, options);
    return std::pair(report, all_gradients(*policy));
  };
  const auto [plain, plain_gradient] = run(0);
  options.kl_coef = 0;
  const at::Tensor policy_gradient = run(0).second;
  options.kl_coef = PpoOptions().kl_coef;
  for (const auto& [cap, weight] : {std::pair(2.0, 1.5), std::pair(1.2, 1.2)}) {
    const auto [report, gradient] = run(cap);
    EXPECT_NEAR(report.policy_loss, weight * plain.policy_loss, 1e-6);
    EXPECT_NEAR(report.kl_loss, plain.kl_loss, 1e-6);
    EXPECT_TRUE(close(gradient, plain_gradient + (weight - 1) * policy_gradient, 1e-5));
  }
}

TEST(PpoTrainer, APenaltyForACutIsALowerScore) {
  SilentProgress progress;
  at::Tensor weights[2];
  for (const int64_t by_hand : {0, 1}) {
    const auto policy = tiny_policy();
    PpoOptions options = quick_options();
    options.missing_eos = by_hand == 1 ? MissingEos::score : MissingEos::penalty;
    options.eos_penalty = 0.5;
    PpoTrainer trainer(policy, options, 1);
    std::vector<Episode> episodes = made_up_episodes(*policy, 4, 2);
    for (Episode& episode : episodes) {
      if (by_hand == 1 && episode.cut) episode.score -= 0.5;
    }
    trainer.update(episodes, 0, progress);
    weights[by_hand] = testing::all_weights(*policy);
  }
  EXPECT_TRUE(weights[0].equal(weights[1]));
}

TEST(FrozenIteration, ACutEpisodeGoesOnOnlyUnderBootstrap) {
  const auto policy = tiny_policy();
  const at::NoGradGuard no_grad;
  const Critic critic{ValueHead::zeros(16, at::kCPU), nullptr};
  at::Tensor(critic.head.weight).copy_(at::linspace(-1, 1, 16).unsqueeze(0));
  PpoOptions options = quick_options();
  options.gae_lambda = 1;
  options.kl_coef = 0;
  std::vector<Episode> episodes = made_up_episodes(*policy, 2, 2);
  episodes[1].cut = true;
  episodes[1].score = 3;
  for (const MissingEos missing_eos : {MissingEos::score, MissingEos::bootstrap}) {
    options.missing_eos = missing_eos;
    const FrozenIteration frozen = freeze_iteration(episodes, *policy, nullptr, &critic, options);
    // With γ = λ = 1 and no KL every return is what the episode ends on: its score, or the value after it.
    std::vector<int64_t> ids = episodes[1].prompt_ids;
    ids.insert(ids.end(), episodes[1].completion_ids.begin(), episodes[1].completion_ids.end());
    const at::Tensor hidden = policy->hidden_states(at::tensor(ids, at::kLong).unsqueeze(0));
    const double end_value = critic.head.values(hidden.squeeze(0))[-1].item<double>();
    const double expected = missing_eos == MissingEos::score ? 3 : end_value;
    EXPECT_NEAR(frozen.returns[1][0].item<double>(), expected, 1e-5);
  }
}

TEST(FrozenIteration, GroupsOfOneAreLeftOutAndAnIterationOfThemIsRefused) {
  const auto policy = tiny_policy();
  const PpoOptions options = quick_options(AdvantageEstimator::grpo);
  std::vector<Episode> episodes = made_up_episodes(*policy, 3, 2);
  episodes.erase(episodes.begin() + 2);  // the second prompt keeps one
  const FrozenIteration frozen = freeze_iteration(episodes, *policy, nullptr, nullptr, options);
  EXPECT_EQ(frozen.trained, (std::vector<int64_t>{0, 1, 3, 4}));
  EXPECT_EQ(iteration_metrics(frozen, options).at("objective/episodes_left_out"), 1);
  const std::vector<Episode> alone = made_up_episodes(*policy, 3, 1);
  EXPECT_THROW(freeze_iteration(alone, *policy, nullptr, nullptr, options), Error);
  EXPECT_NO_THROW(
      freeze_iteration(alone, *policy, nullptr, nullptr, quick_options(AdvantageEstimator::reinforce_pp)));
}

TEST(FrozenIteration, CountsTheGroupsThatTeachNothing) {
  const auto policy = tiny_policy();
  const PpoOptions options = quick_options(AdvantageEstimator::rloo);
  std::vector<Episode> episodes = made_up_episodes(*policy, 3, 2);
  episodes[2].score = episodes[3].score = 0.3;
  const FrozenIteration frozen = freeze_iteration(episodes, *policy, nullptr, nullptr, options);
  EXPECT_EQ(iteration_metrics(frozen, options).at("objective/equal_score_groups"), 1);
}

TEST(FrozenIteration, RefusesMalformedEpisodes) {
  const auto policy = tiny_policy();
  const auto refused = [&policy](const std::function<void(Episode&)>& spoil) {
    std::vector<Episode> episodes = made_up_episodes(*policy, 1, 2);
    spoil(episodes[1]);
    try {
      freeze_iteration(episodes, *policy, nullptr, nullptr, quick_options(AdvantageEstimator::grpo));
      return std::string("accepted");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refused([](Episode& e) { e.prompt_ids.clear(); }), "episode 1: its prompt has no token");
  EXPECT_EQ(refused([](Episode& e) { e.completion_ids.clear(); }), "episode 1: its completion has no token");
  EXPECT_EQ(refused([](Episode& e) { e.score = std::numeric_limits<double>::quiet_NaN(); }),
            "episode 1: its score is not a finite number");
  EXPECT_EQ(refused([](Episode& e) { e.score = 1e39; }), "episode 1: its score is not a finite number");
  EXPECT_EQ(refused([](Episode& e) { e.completion_ids[0] = 32; }),
            "episode 1: token 32 is not in the vocabulary");
  EXPECT_NE(refused([](Episode& e) { e.rollout_log_probs.pop_back(); }).find("rollout log-probs for"),
            std::string::npos);
}

TEST(PpoTrainer, AnUpdateEndsEarlyOnceThePolicyHasMovedTooFar) {
  const auto policy = tiny_policy();
  PpoOptions options = quick_options();
  options.learning_rate = 1e-2;
  options.target_kl = 1e-3;
  PpoTrainer trainer(policy, options, 1);
  SilentProgress progress;
  const auto report = trainer.update(made_up_episodes(*policy, 5, 4), 0, progress);
  EXPECT_EQ(report.metrics.at("policy/stopped_early"), 1);
  EXPECT_LT(report.metrics.at("policy/steps"), 16);
  EXPECT_GE(report.metrics.at("policy/steps"), 1);
  for (const NamedTensor& parameter : policy->parameters()) EXPECT_FALSE(parameter.tensor.grad().defined());
}

TEST(PpoTrainer, AGradientThatIsNotFiniteChangesNothingAndIsCounted) {
  const auto policy = tiny_policy();
  PpoTrainer trainer(policy, quick_options(AdvantageEstimator::dr_grpo), 1);
  const at::Tensor before = testing::all_weights(*policy).clone();
  std::vector<Episode> episodes = made_up_episodes(*policy, 4, 2);
  for (Episode& episode : episodes) episode.score = episode.sample == 0 ? 1e38 : -1e38;
  SilentProgress progress;
  const auto metrics = trainer.update(episodes, 0, progress).metrics;
  EXPECT_EQ(metrics.at("policy/skipped_steps"), 16);
  EXPECT_EQ(metrics.at("policy/steps"), 0);
  EXPECT_TRUE(testing::all_weights(*policy).equal(before));
}

TEST(PpoTrainer, AnEntropyBonusKeepsThePolicyOpen) {
  for (const double entropy_coef : {0.0, 0.1}) {
    const auto policy = tiny_policy();
    PpoOptions options = quick_options(AdvantageEstimator::dr_grpo);
    options.entropy_coef = entropy_coef;
    PpoTrainer trainer(policy, options, 2);
    std::vector<Episode> episodes = made_up_episodes(*policy, 4, 2);
    for (Episode& episode : episodes) episode.score = 1;  // no other force
    SilentProgress progress;
    const double before = trainer.update(episodes, 0, progress).metrics.at("policy/entropy");
    const double gain = trainer.update(episodes, 1, progress).metrics.at("policy/entropy") - before;
    if (entropy_coef > 0)
      EXPECT_GT(gain, 0.01);
    else
      EXPECT_NEAR(gain, 0, 1e-6);
  }
}

TEST(PpoTrainer, SkipsAndCountsMinibatchesWhoseRatioExploded) {
  ModelConfig config = testing::tiny_config();
  config.initializer_range = 1;  // sharp predictions: most tokens are very unlikely
  const std::shared_ptr<Decoder> policy = Decoder::random(config, 1, {});
  PpoOptions options = quick_options(AdvantageEstimator::dr_grpo);
  options.learning_rate = 0.1;
  options.minibatches = 1;
  options.num_ppo_epochs = 8;
  options.kl_coef = 0;
  PpoTrainer trainer(policy, options, 1);
  // One token is always right: steps of this size make it likely whatever it was.
  std::vector<Episode> episodes = made_up_episodes(*policy, 8, 2);
  for (Episode& episode : episodes) {
    episode.score = static_cast<double>(episode.sample);
    episode.completion_ids.assign(1, episode.sample == 1 ? 7 : 9);
    episode.rollout_log_probs.resize(1);
  }
  SilentProgress progress;
  const auto report = trainer.update(episodes, 0, progress);
  const double skipped = report.metrics.at("policy/skipped_minibatches");
  EXPECT_GT(skipped, 0) << "mean ratio " << report.metrics.at("policy/ratio");
  EXPECT_EQ(skipped + report.metrics.at("policy/steps"), 8);
}

TEST(PpoTrainer, ALearningRateScaledToNothingMovesNothing) {
  const auto policy = tiny_policy();
  PpoTrainer trainer(policy, quick_options(), 1);
  const at::Tensor before = testing::all_weights(*policy).clone();
  trainer.scale_learning_rate(0);
  SilentProgress progress;
  const auto report = trainer.update(made_up_episodes(*policy, 3, 2), 0, progress);
  EXPECT_EQ(report.metrics.at("policy/learning_rate"), 0);
  EXPECT_TRUE(testing::all_weights(*policy).equal(before));
}

TEST(PpoTrainer, TheLearningRateFollowsTheScheduleOfIterations) {
  const auto policy = tiny_policy();
  PpoOptions options = quick_options();
  options.schedule = ScheduleKind::linear;
  PpoTrainer trainer(policy, options, 5);
  trainer.scale_learning_rate(0.5);
  SilentProgress progress;
  const auto episodes = made_up_episodes(*policy, 2, 2);
  EXPECT_DOUBLE_EQ(trainer.update(episodes, 1, progress).metrics.at("policy/learning_rate"), 0.5 * 0.75e-3);
}

TEST(PpoTrainer, Bfloat16ComputeFollowsTheFloat32Gradient) {
  at::Tensor gradients[2];
  const at::ScalarType dtypes[2] = {at::kFloat, at::kBFloat16};
  for (const int i : {0, 1}) {
    const auto policy = tiny_policy(1, dtypes[i]);
    const std::vector<Episode> episodes = made_up_episodes(*tiny_policy(), 4, 4);
    PpoOptions options = quick_options(AdvantageEstimator::grpo);
    options.loss_normalisation = LossNormalisation::token;
    const FrozenIteration frozen = freeze_iteration(episodes, *policy, nullptr, nullptr, options);
    accumulate_minibatch(*policy, nullptr, frozen, frozen.trained, options);
    gradients[i] = all_gradients(*policy);
  }
  EXPECT_EQ(gradients[1].scalar_type(), at::kFloat) << "the masters stay float32";
  const double cosine = at::cosine_similarity(gradients[0], gradients[1], 0).item<double>();
  EXPECT_GT(cosine, 0.99);
  EXPECT_LT(cosine, 1 - 1e-7) << "bfloat16 was not used";
}

}  // namespace
}  // namespace rft::engine
