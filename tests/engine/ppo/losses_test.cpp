#include "engine/ppo/losses.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;
using testing::ppo_vectors;
using testing::tensor;

TEST(PolicyLoss, EqualsTheStoredValuesAndGradients) {
  for (const Json& c : ppo_vectors().at("policy_loss")) {
    const at::Tensor policy = tensor(c.at("policy_log_probs")).requires_grad_();
    const ClipOptions clip{c.at("low"), c.at("high"), c.at("dual_clip")};
    const PolicyLoss result =
        clipped_policy_loss(policy, tensor(c.at("proximal_log_probs")), tensor(c.at("advantages")), clip);
    result.loss.sum().backward();
    EXPECT_TRUE(close(result.loss, tensor(c.at("loss")), 1e-5));
    EXPECT_TRUE(close(result.ratio, tensor(c.at("ratio")), 1e-5));
    EXPECT_TRUE(result.clipped.equal(tensor(c.at("clipped"), at::kBool)));
    EXPECT_TRUE(close(policy.grad(), tensor(c.at("gradient")), 1e-5));
  }
}

TEST(PolicyLoss, ARatioNeverOverflows) {
  const PolicyLoss result =
      clipped_policy_loss(at::tensor({0.f, -500.f}), at::tensor({-500.f, 0.f}), at::tensor({-1.f, 1.f}), {});
  EXPECT_TRUE(result.loss.isfinite().all().item<bool>());
  EXPECT_NEAR(result.ratio[0].item<double>(), std::exp(20.0), 1e3);
  EXPECT_NEAR(result.ratio[1].item<double>(), std::exp(-20.0), 1e-12);
}

TEST(PolicyLoss, DualClipBoundsTheLossOfABadActionGrownLikely) {
  const at::Tensor policy = at::tensor({3.f}), proximal = at::tensor({0.f}), advantages = at::tensor({-2.f});
  EXPECT_NEAR(clipped_policy_loss(policy, proximal, advantages, {0.2, 0.2, 0}).loss.item<double>(),
              2 * std::exp(3.0), 1e-4);
  EXPECT_FLOAT_EQ(clipped_policy_loss(policy, proximal, advantages, {0.2, 0.2, 3}).loss.item<float>(), 6);
}

TEST(ImportanceWeights, EqualTheStoredValuesAndCarryNoGradient) {
  for (const Json& c : ppo_vectors().at("importance")) {
    const at::Tensor proximal = tensor(c.at("proximal_log_probs")).requires_grad_();
    const at::Tensor weights = importance_weights(proximal, tensor(c.at("rollout_log_probs")), c.at("cap"));
    EXPECT_TRUE(close(weights, tensor(c.at("weights")), 1e-6));
    EXPECT_FALSE(weights.requires_grad());
  }
}

TEST(ValueLoss, EqualsTheStoredValuesAndGradients) {
  for (const Json& c : ppo_vectors().at("value_loss")) {
    const at::Tensor values = tensor(c.at("values")).requires_grad_();
    const at::Tensor loss =
        clipped_value_loss(values, tensor(c.at("old_values")), tensor(c.at("returns")), c.at("range"));
    loss.sum().backward();
    EXPECT_TRUE(close(loss, tensor(c.at("loss"))));
    EXPECT_TRUE(close(values.grad(), tensor(c.at("gradient"))));
  }
}

TEST(Kl, EqualsTheStoredValuesAndGradients) {
  for (const Json& c : ppo_vectors().at("kl")) {
    const KlEstimator estimator = kl_estimator_from_string(c.at("estimator").get<std::string>());
    const at::Tensor log_probs = tensor(c.at("log_probs")).requires_grad_();
    const at::Tensor reference = tensor(c.at("reference_log_probs"));
    EXPECT_TRUE(close(kl_estimate(log_probs, reference, estimator), tensor(c.at("kl"))));
    const at::Tensor loss = kl_loss(log_probs, reference, estimator);
    EXPECT_TRUE(close(loss, tensor(c.at("kl"))));
    loss.sum().backward();
    EXPECT_TRUE(close(log_probs.grad(), tensor(c.at("loss_gradient"))));
  }
}

TEST(LossWeights, SumToTheStoredMeans) {
  const Json& c = ppo_vectors().at("normalisation");
  const at::Tensor mask = tensor(ppo_vectors().at("mask")), losses = tensor(c.at("losses"));
  const auto weighted = [&](LossNormalisation normalisation) {
    return (losses * loss_weights(mask, normalisation, c.at("constant_length"))).sum().item<double>();
  };
  EXPECT_NEAR(weighted(LossNormalisation::token), c.at("token"), 1e-6);
  EXPECT_NEAR(weighted(LossNormalisation::sequence), c.at("sequence"), 1e-6);
  EXPECT_NEAR(weighted(LossNormalisation::constant), c.at("constant"), 1e-6);
}

TEST(LossWeights, AMinibatchWithoutATokenWeighsNothing) {
  for (const auto normalisation :
       {LossNormalisation::token, LossNormalisation::sequence, LossNormalisation::constant}) {
    EXPECT_TRUE(loss_weights(at::zeros({2, 3}), normalisation, 5).equal(at::zeros({2, 3})));
  }
}

TEST(LossWeights, SequencesMaskedAwayDoNotDiluteTheOthers) {
  const at::Tensor mask = at::tensor({1.f, 1.f, 0.f, 0.f}).reshape({2, 2});
  EXPECT_TRUE(close(loss_weights(mask, LossNormalisation::sequence, 5),
                    at::tensor({.5f, .5f, 0.f, 0.f}).reshape({2, 2})));
}

}  // namespace
}  // namespace rft::engine
