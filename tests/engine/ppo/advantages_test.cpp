#include "engine/ppo/advantages.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;
using testing::ppo_vectors;
using testing::tensor;

at::Tensor stored_mask() { return tensor(ppo_vectors().at("mask")); }

TEST(PaidScores, EqualTheStoredValues) {
  const Json& c = ppo_vectors().at("missing_eos");
  const at::Tensor scores = tensor(c.at("scores")), cut = tensor(c.at("cut"), at::kBool);
  for (const auto& [name, paid] : c.at("paid").items()) {
    const MissingEos missing_eos = missing_eos_from_string(name);
    EXPECT_TRUE(close(paid_scores(scores, cut, missing_eos, c.at("eos_penalty")), tensor(paid))) << name;
  }
}

TEST(TokenRewards, EqualTheStoredValues) {
  for (const Json& c : ppo_vectors().at("rewards")) {
    const at::Tensor rewards =
        token_rewards(tensor(c.at("kl")), tensor(c.at("scores")), stored_mask(), c.at("kl_coef"));
    EXPECT_TRUE(close(rewards, tensor(c.at("rewards"))));
  }
}

TEST(TokenRewards, ScoreIsPaidOnceAndNothingIsPaidOffTheMask) {
  const float huge = std::numeric_limits<float>::infinity();
  const at::Tensor kl = at::tensor({0.f, 0.f, huge, huge, huge, huge}).reshape({2, 3});
  const at::Tensor mask = at::tensor({1.f, 1.f, 0.f, 0.f, 0.f, 0.f}).reshape({2, 3});
  const at::Tensor rewards = token_rewards(kl, at::tensor({5.f, 7.f}), mask, 0.1);
  EXPECT_TRUE(close(rewards, at::tensor({0.f, 5.f, 0.f, 0.f, 0.f, 0.f}).reshape({2, 3})));
}

TEST(Advantage, GaeEqualsTheStoredValues) {
  for (const Json& c : ppo_vectors().at("gae")) {
    const at::Tensor advantages = gae(tensor(c.at("rewards")), tensor(c.at("values")), stored_mask(),
                                      tensor(c.at("bootstrap_values")), c.at("gamma"), c.at("lambda"));
    EXPECT_TRUE(close(advantages, tensor(c.at("advantages")), 1e-5));
  }
}

TEST(Advantage, BootstrapsZeroAtTerminal) {
  const at::Tensor rewards = at::tensor({0.f, 1.f}).reshape({1, 2});
  const at::Tensor values = at::tensor({.25f, .5f}).reshape({1, 2});
  const at::Tensor advantages = gae(rewards, values, at::ones({1, 2}), at::zeros({1}), 1, 0.5);
  EXPECT_TRUE(close(advantages, at::tensor({.5f - .25f + .5f * .5f, 1.f - .5f}).reshape({1, 2})));
}

TEST(Advantage, BootstrapsItsValueAtACutWhenAsked) {
  const at::Tensor advantages =
      gae(at::zeros({1, 1}), at::full({1, 1}, 0.5), at::ones({1, 1}), at::full({1}, 2.0), 0.9, 0.95);
  EXPECT_NEAR(advantages.item<double>(), 0.9 * 2 - 0.5, 1e-6);
}

TEST(Advantage, AGapInTheMaskNeitherDecaysNorPays) {
  // The same three tokens with and without a gap of two masked ones, which hold rubbish.
  const at::Tensor rewards = at::tensor({.1f, .2f, 1.f}), values = at::tensor({.3f, .4f, .5f});
  const at::Tensor tight =
      gae(rewards.unsqueeze(0), values.unsqueeze(0), at::ones({1, 3}), at::zeros({1}), .9, .8);
  const at::Tensor gapped_rewards = at::tensor({.1f, 9.f, 9.f, .2f, 1.f}).unsqueeze(0);
  const at::Tensor gapped_values = at::tensor({.3f, 9.f, 9.f, .4f, .5f}).unsqueeze(0);
  const at::Tensor mask = at::tensor({1.f, 0.f, 0.f, 1.f, 1.f}).unsqueeze(0);
  const at::Tensor gapped = gae(gapped_rewards, gapped_values, mask, at::zeros({1}), .9, .8);
  EXPECT_TRUE(close(gapped.masked_select(mask > 0), tight.flatten()));
  EXPECT_TRUE(close(gapped.masked_select(mask == 0), at::zeros({2})));
}

TEST(Advantage, RewardsToGoEqualTheStoredValues) {
  for (const Json& c : ppo_vectors().at("rewards_to_go")) {
    EXPECT_TRUE(
        close(rewards_to_go(tensor(c.at("rewards")), stored_mask(), c.at("gamma")), tensor(c.at("to_go"))));
  }
}

TEST(Whitening, EqualsTheStoredValues) {
  const Json& c = ppo_vectors().at("whiten");
  EXPECT_TRUE(close(whiten(tensor(c.at("x")), stored_mask()), tensor(c.at("whitened")), 1e-5));
}

TEST(Whitening, LeavesFewerThanTwoTokensAsTheyAre) {
  const at::Tensor x = at::tensor({3.f, 4.f}).unsqueeze(0);
  EXPECT_TRUE(whiten(x, at::zeros({1, 2})).equal(at::zeros({1, 2})));
  EXPECT_TRUE(whiten(x, at::tensor({1.f, 0.f}).unsqueeze(0)).equal(at::tensor({3.f, 0.f}).unsqueeze(0)));
}

TEST(Whitening, EqualAdvantagesBecomeZeroNotNan) {
  EXPECT_TRUE(whiten(at::ones({1, 3}), at::ones({1, 3})).equal(at::zeros({1, 3})));
}

TEST(Groups, EqualTheStoredValues) {
  const Json& c = ppo_vectors().at("groups");
  const at::Tensor scores = tensor(c.at("scores")), groups = tensor(c.at("groups"), at::kLong);
  EXPECT_TRUE(close(group_centred(scores, groups), tensor(c.at("centred"))));
  EXPECT_TRUE(close(group_normalised(scores, groups), tensor(c.at("normalised")), 1e-5));
  EXPECT_TRUE(close(group_leave_one_out(scores, groups), tensor(c.at("leave_one_out"))));
}

TEST(Estimators, EachEqualsTheStoredValues) {
  const Json& c = ppo_vectors().at("estimators");
  AdvantageInputs inputs;
  inputs.rewards = tensor(c.at("rewards"));
  inputs.completion_mask = stored_mask();
  inputs.groups = tensor(c.at("groups"), at::kLong);
  inputs.values = tensor(c.at("values"));
  inputs.bootstrap_values = tensor(c.at("bootstrap_values"));
  ASSERT_EQ(c.at("advantages").size(), 6u);
  for (const auto& [name, expected] : c.at("advantages").items()) {
    const AdvantageEstimator estimator = advantage_estimator_from_string(name);
    const Advantages result = estimate_advantages(inputs, estimator, c.at("gamma"), c.at("lambda"));
    EXPECT_TRUE(close(result.advantages, tensor(expected), 1e-5)) << name;
    EXPECT_EQ(result.returns.defined(), has_critic(estimator)) << name;
    if (has_critic(estimator)) {
      EXPECT_TRUE(close(result.returns, tensor(c.at("returns"))));
    }
  }
}

}  // namespace
}  // namespace rft::engine
