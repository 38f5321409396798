#include "worker/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rft::worker {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Metrics = std::map<std::string, double>;

Metrics healthy() {
  return {{"rollout/score_mean", 0.5},       {"rollout/completion_length", 10},
          {"rollout/identical_share", 0.25}, {"policy/entropy", 2},
          {"policy/rollout_gap", 0.001},     {"objective/kl_to_reference_k3", 0.01},
          {"rollout/score_std", 0.1}};
}

Metrics with(const std::string& name, double value) {
  Metrics metrics = healthy();
  metrics[name] = value;
  return metrics;
}

auto warns(const std::string& name, const std::string& evidence) {
  return ElementsAre(
      AllOf(Field(&WatchWarning::name, name), Field(&WatchWarning::message, HasSubstr(evidence))));
}

class Watches : public ::testing::Test {
 protected:
  std::vector<WatchWarning> iteration(const Metrics& metrics) {
    return watch_iteration(config_, metrics, state_);
  }
  std::vector<WatchWarning> epoch(double score) { return watch_epoch(config_, score, state_); }

  config::WatchConfig config_;
  WatchState state_;
};

TEST_F(Watches, AHealthyRunIsLeftAlone) {
  for (int i = 0; i < 20; ++i) EXPECT_THAT(iteration(healthy()), IsEmpty());
  EXPECT_THAT(epoch(0.45), IsEmpty());
}

TEST_F(Watches, TellOfLongerCompletions) {
  iteration(healthy());
  EXPECT_THAT(iteration(with("rollout/completion_length", 29)), IsEmpty());
  EXPECT_THAT(iteration(with("rollout/completion_length", 31)),
              warns("length_growth", "31.0 tokens on average, 3.1 times the 10.0 of the first iteration"));
}

TEST_F(Watches, TellOfACollapseOfTheEntropy) {
  iteration(healthy());
  EXPECT_THAT(iteration(with("policy/entropy", 0.12)), IsEmpty());
  EXPECT_THAT(iteration(with("policy/entropy", 0.05)), warns("entropy_drop", "2.5 % of the 2.0000"));
}

TEST_F(Watches, TellOfCompletionsThatAreAllTheSame) {
  EXPECT_THAT(iteration(with("rollout/identical_share", 0.97)), warns("identical_share", "97.0 %"));
}

TEST_F(Watches, TellOfASamplerThatIsNotTheTrainer) {
  EXPECT_THAT(iteration(with("policy/rollout_gap", 0.009)), IsEmpty());
  EXPECT_THAT(iteration(with("policy/rollout_gap", 0.02)), warns("rollout_gap", "differ by 0.0200"));
}

TEST_F(Watches, TellOfScoresThatNeverDiffered) {
  const Metrics constant = with("rollout/score_std", 1e-9);
  EXPECT_THAT(iteration(constant), IsEmpty());
  EXPECT_THAT(iteration(constant), warns("constant_score", "all episodes score 0.5000"));
}

TEST_F(Watches, LeaveAloneATaskThatIsLearned) {
  iteration(healthy());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(iteration(with("rollout/score_std", 0)), IsEmpty());
}

TEST_F(Watches, TellOfAKlThatAccelerates) {
  // A steady rise is none; one that is more than three times as steep is.
  double kl = 0;
  for (int i = 0; i < 12; ++i)
    EXPECT_THAT(iteration(with("objective/kl_to_reference_k3", kl += 0.02)), IsEmpty());
  std::vector<WatchWarning> warnings;
  for (int i = 0; i < 4 && warnings.empty(); ++i)
    warnings = iteration(with("objective/kl_to_reference_k3", kl += 0.1));
  EXPECT_THAT(warnings, warns("kl_acceleration", "nats per token in 4 iterations"));
}

TEST_F(Watches, TellOfAKlThatComesInLeapsOnce) {
  double kl = 0;
  size_t told = 0;
  for (int i = 0; i < 40; ++i) {
    told += iteration(with("objective/kl_to_reference_k3", kl += i % 8 == 0 ? 0.3 : 0)).size();
    state_ = watch_state_from_json(to_json(state_));
  }
  EXPECT_EQ(told, 1u);
}

TEST_F(Watches, SmallRisesOfTheKlAreNone) {
  double kl = 0;
  for (int i = 0; i < 12; ++i) iteration(with("objective/kl_to_reference_k3", kl));
  for (int i = 0; i < 4; ++i)
    EXPECT_THAT(iteration(with("objective/kl_to_reference_k3", kl += 0.005)), IsEmpty());
}

TEST_F(Watches, TellOfATrainingScoreAboveTheValidations) {
  iteration(with("rollout/score_mean", 0.8));
  iteration(with("rollout/score_mean", 0.9));
  EXPECT_THAT(epoch(0.7),
              warns("score_gap", "is 0.8500, 0.1500 above the validation's 0.7000 (allowed 0.1000)"));
  iteration(with("rollout/score_mean", 0.75));
  EXPECT_THAT(epoch(0.7), IsEmpty()) << "each epoch is compared by itself";
}

TEST_F(Watches, TellOnceUntilTheConditionHasPassed) {
  const Metrics same = with("rollout/identical_share", 0.97);
  EXPECT_THAT(iteration(same), ::testing::SizeIs(1));
  state_ = watch_state_from_json(to_json(state_));  // a resumed job does not tell again either
  EXPECT_THAT(iteration(same), IsEmpty());
  EXPECT_THAT(iteration(healthy()), IsEmpty());
  EXPECT_THAT(iteration(same), ::testing::SizeIs(1));
}

TEST_F(Watches, AThresholdOfZeroWatchesNothing) {
  config_ = {.score_gap = 0,
             .length_growth = 0,
             .entropy_drop = 0,
             .kl_acceleration = 0,
             .identical_share = 0,
             .rollout_gap = 0,
             .constant_score = 0};
  iteration(with("rollout/score_std", 0));
  double kl = 0;
  for (int i = 0; i < 12; ++i) {
    Metrics metrics = with("objective/kl_to_reference_k3", kl += i);
    metrics["rollout/completion_length"] = 1000;
    metrics["policy/entropy"] = 0;
    metrics["rollout/identical_share"] = 1;
    metrics["rollout/score_mean"] = 9;
    metrics["policy/rollout_gap"] = 1;
    metrics["rollout/score_std"] = 0;
    EXPECT_THAT(iteration(metrics), IsEmpty());
  }
  EXPECT_THAT(epoch(0), IsEmpty());
}

}  // namespace
}  // namespace rft::worker
