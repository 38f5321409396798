#include "engine/optim/adamw.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;
using testing::ppo_vectors;
using testing::tensor;

void give_gradients(std::vector<at::Tensor>& parameters, const Json& gradients) {
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].mutable_grad() = tensor(gradients[i]);
}

TEST(AdamW, EqualsTheStoredSteps) {
  for (const Json& c : ppo_vectors().at("adamw")) {
    std::vector<at::Tensor> parameters;
    for (const Json& start : c.at("start")) parameters.push_back(tensor(start).requires_grad_());
    AdamWOptions options;
    options.weight_decay = c.at("weight_decay");
    options.max_grad_norm = c.at("max_grad_norm");
    AdamW optimiser(parameters, options);
    for (const Json& step : c.at("steps")) {
      give_gradients(parameters, step.at("gradients"));
      const AdamW::Step done = optimiser.step(c.at("learning_rate"));
      EXPECT_FALSE(done.skipped);
      EXPECT_NEAR(done.grad_norm, step.at("grad_norm"), 1e-5);
      for (size_t i = 0; i < parameters.size(); ++i) {
        EXPECT_TRUE(close(parameters[i], tensor(step.at("parameters")[i])));
        EXPECT_FALSE(parameters[i].grad().defined()) << "a step uses its gradients up";
      }
    }
  }
}

TEST(AdamW, SkipsAStepWhoseGradientIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<at::Tensor> parameters = {at::ones({2, 2}).requires_grad_(), at::ones({3}).requires_grad_()};
    AdamW optimiser(parameters, {});
    parameters[0].mutable_grad() = at::full({2, 2}, bad);
    parameters[1].mutable_grad() = at::ones({3});
    EXPECT_TRUE(optimiser.step(0.1).skipped);
    EXPECT_TRUE(parameters[0].equal(at::ones({2, 2})));
    EXPECT_TRUE(parameters[1].equal(at::ones({3})));
    EXPECT_EQ(optimiser.state().num_steps, 0);
    EXPECT_TRUE(optimiser.state().first_moments[1].equal(at::zeros({3})));
  }
}

TEST(AdamW, ARestoredStateGoesOnBitForBit) {
  const Json& c = ppo_vectors().at("adamw").at(1);
  std::vector<at::Tensor> parameters, others;
  for (const Json& start : c.at("start")) parameters.push_back(tensor(start).requires_grad_());
  AdamW optimiser(parameters, {});
  give_gradients(parameters, c.at("steps")[0].at("gradients"));
  optimiser.step(0.01);

  for (const at::Tensor& parameter : parameters)
    others.push_back(parameter.detach().clone().requires_grad_());
  AdamW restored(others, {});
  restored.restore(optimiser.state());
  give_gradients(parameters, c.at("steps")[1].at("gradients"));
  give_gradients(others, c.at("steps")[1].at("gradients"));
  optimiser.step(0.01);
  restored.step(0.01);
  for (size_t i = 0; i < parameters.size(); ++i) EXPECT_TRUE(parameters[i].equal(others[i]));

  AdamW stranger({at::ones({5}).requires_grad_()}, {});
  EXPECT_THROW(stranger.restore(optimiser.state()), Error);
}

TEST(ClipByGlobalNorm, ScalesOnlyWhatIsTooLong) {
  std::vector<at::Tensor> gradients = {at::full({1}, 3.f), at::full({1}, 4.f)};
  EXPECT_DOUBLE_EQ(clip_by_global_norm(gradients, 10), 5);
  EXPECT_EQ(gradients[0].item<float>(), 3);
  EXPECT_DOUBLE_EQ(clip_by_global_norm(gradients, 1), 5);
  EXPECT_NEAR(gradients[0].item<float>(), 0.6, 1e-6);
  EXPECT_NEAR(gradients[1].item<float>(), 0.8, 1e-6);
}

}  // namespace
}  // namespace rft::engine
