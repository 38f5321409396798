// What several ranks learn together against what one learns alone.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/ppo/frozen_iteration.h"
#include "engine/ppo/minibatch.h"
#include "engine/ppo/trainer.h"
#include "engine/ppo/warmup.h"
#include "engine/support/run_ranks.h"
#include "engine/support/tiny_policy.h"

namespace rft::engine {
namespace {

using testing::made_up_episodes;
using testing::run_ranks;
using testing::SilentProgress;
using testing::tiny_policy;

PpoOptions quick_options(AdvantageEstimator estimator, LossNormalisation normalisation) {
  PpoOptions options;
  options.advantage_estimator = estimator;
  options.loss_normalisation = normalisation;
  options.learning_rate = 1e-3;
  options.entropy_coef = 0.01;
  options.max_new_tokens = 10;
  options.micro_batch_tokens = 40;
  return options;
}

double relative_distance(const at::Tensor& x, const at::Tensor& expected) {
  return ((x - expected).norm() / expected.norm()).item<double>();
}

struct Gradient {
  at::Tensor of_all;  // parameters, as one vector
  MinibatchReport report;
};

// Of one minibatch, as an update would have it before its step.
Gradient minibatch_gradient(const PpoOptions& options, const std::vector<int64_t>& members, Ranks& ranks) {
  const auto policy = tiny_policy();
  const auto reference = tiny_policy(2);
  const Critic zero{ValueHead::zeros(16, at::kCPU), nullptr};
  const Critic* critic = has_critic(options.advantage_estimator) ? &zero : nullptr;
  const std::vector<Episode> episodes = made_up_episodes(*policy, 4, 4);
  const FrozenIteration frozen = freeze_iteration(episodes, *policy, reference.get(), critic, options, ranks);
  Gradient gradient;
  gradient.report = accumulate_minibatch(*policy, critic, frozen, members, options, ranks);
  std::vector<at::Tensor> parameters, flat;
  for (const NamedTensor& parameter : policy->parameters()) parameters.push_back(parameter.tensor);
  if (critic != nullptr) parameters.insert(parameters.end(), {zero.head.weight, zero.head.bias});
  ranks.sum_gradients(parameters);
  for (const at::Tensor& parameter : parameters) flat.push_back(parameter.grad().flatten());
  gradient.of_all = at::cat(flat);
  return gradient;
}

TEST(RanksTraining, TheirGradientIsTheOneOfTheWholeMinibatch) {
  const std::vector<int64_t> members{3, 1, 14, 8, 9, 0, 5};
  for (const auto normalisation :
       {LossNormalisation::token, LossNormalisation::sequence, LossNormalisation::constant}) {
    for (const auto estimator : {AdvantageEstimator::gae, AdvantageEstimator::grpo}) {
      const PpoOptions options = quick_options(estimator, normalisation);
      const Gradient alone = minibatch_gradient(options, members, Ranks::alone());
      for (const int64_t size : {2, 3}) {
        run_ranks(size, [&](Ranks& ranks) {
          const Gradient together = minibatch_gradient(options, members, ranks);
          EXPECT_LT(relative_distance(together.of_all, alone.of_all), 1e-6) << size << " ranks";
          EXPECT_NEAR(together.report.policy_loss, alone.report.policy_loss, 1e-6);
          EXPECT_NEAR(together.report.value_loss, alone.report.value_loss, 1e-6);
          EXPECT_NEAR(together.report.kl_loss, alone.report.kl_loss, 1e-6);
          EXPECT_NEAR(together.report.entropy, alone.report.entropy, 1e-6);
          EXPECT_NEAR(together.report.ratio, 1, 1e-6);
          EXPECT_LT(together.report.max_ratio_deviation, 1e-5);
        });
      }
    }
  }
}

TEST(RanksTraining, AMinibatchOfFewerRowsThanRanksIsDividedToo) {
  const PpoOptions options = quick_options(AdvantageEstimator::gae, LossNormalisation::token);
  const Gradient alone = minibatch_gradient(options, {6}, Ranks::alone());
  run_ranks(3, [&](Ranks& ranks) {
    EXPECT_LT(relative_distance(minibatch_gradient(options, {6}, ranks).of_all, alone.of_all), 1e-6);
  });
}

// The weights after two iterations, and the metrics of the last.
struct Trained {
  at::Tensor weights;
  std::map<std::string, double> metrics;
};

Trained train(const PpoOptions& options, Ranks& ranks) {
  const auto policy = tiny_policy();
  PpoTrainer trainer(policy, options, 2, ranks);
  trainer.freeze_reference();
  SilentProgress progress;
  Trained trained;
  for (int64_t iteration = 0; iteration < 2; ++iteration)
    trained.metrics =
        trainer.update(made_up_episodes(*tiny_policy(), 5, 4, iteration), iteration, progress).metrics;
  trained.weights = testing::all_weights(*policy).clone();
  return trained;
}

std::vector<Trained> train_as_ranks(const PpoOptions& options, int64_t size) {
  std::vector<Trained> all(static_cast<size_t>(size));
  run_ranks(size, [&](Ranks& ranks) { all[ranks.rank()] = train(options, ranks); });
  return all;
}

TEST(RanksTraining, EndWithTheSameWeightsEachTimeCloseToThoseOfOneAlone) {
  const at::Tensor untrained = testing::all_weights(*tiny_policy());
  for (const auto estimator : {AdvantageEstimator::gae, AdvantageEstimator::grpo}) {
    const PpoOptions options = quick_options(estimator, LossNormalisation::automatic);
    const Trained alone = train(options, Ranks::alone());
    const auto ranks = train_as_ranks(options, 2);
    EXPECT_TRUE(ranks[0].weights.equal(ranks[1].weights));
    EXPECT_EQ(ranks[0].metrics, ranks[1].metrics);
    EXPECT_TRUE(train_as_ranks(options, 2)[0].weights.equal(ranks[0].weights)) << "the same bits each time";
    const double learned = (alone.weights - untrained).norm().item<double>();
    EXPECT_LT((ranks[0].weights - alone.weights).norm().item<double>(), 1e-3 * learned);
    for (const auto& [name, value] : alone.metrics)
      EXPECT_NEAR(ranks[0].metrics.at(name), value, 1e-4 * (1 + std::abs(value))) << name;
  }
}

// Each rank alone would see its own rows' KL, and go on or stop by itself.
TEST(RanksTraining, StopAnUpdateEarlyAtTheSameStep) {
  PpoOptions options = quick_options(AdvantageEstimator::gae, LossNormalisation::automatic);
  options.learning_rate = 1e-2;
  options.target_kl = 1e-3;
  const Trained alone = train(options, Ranks::alone());
  EXPECT_EQ(alone.metrics.at("policy/stopped_early"), 1);
  for (const Trained& rank : train_as_ranks(options, 3)) {
    EXPECT_EQ(rank.metrics.at("policy/stopped_early"), 1);
    EXPECT_EQ(rank.metrics.at("policy/steps"), alone.metrics.at("policy/steps"));
  }
}

TEST(RanksTraining, WarmUpLikeOne) {
  std::vector<WarmupExample> examples;
  for (int64_t i = 0; i < 7; ++i) examples.push_back({{1, 3 + i, 20 - i}, {20 - i, 3 + i, 0}});
  WarmupOptions options;
  options.epochs = 3;
  options.batch_size = 3;  // the last batch has a single row
  options.prompt_loss = 0.5;
  const auto warm_up = [&](Ranks& ranks, std::vector<double>& losses) {
    const auto policy = tiny_policy();
    Warmup warmup(policy, examples, options, ranks);
    while (!warmup.done()) losses.push_back(warmup.step().at("warmup/loss"));
    return testing::all_weights(*policy).clone();
  };
  std::vector<double> losses_alone;
  const at::Tensor alone = warm_up(Ranks::alone(), losses_alone);
  at::Tensor weights[2];
  run_ranks(2, [&](Ranks& ranks) {
    std::vector<double> losses;
    weights[ranks.rank()] = warm_up(ranks, losses);
    ASSERT_EQ(losses.size(), losses_alone.size());
    for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], losses_alone[i], 1e-4) << i;
  });
  EXPECT_TRUE(weights[0].equal(weights[1]));
  EXPECT_LT(relative_distance(weights[0], alone), 1e-4);
}

}  // namespace
}  // namespace rft::engine
