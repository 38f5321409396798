#include "engine/ppo/diagnostics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::ppo_vectors;
using testing::tensor;

TEST(Diagnostics, EqualTheStoredValues) {
  const Json& c = ppo_vectors().at("diagnostics");
  const at::Tensor mask = tensor(ppo_vectors().at("mask")), proximal = tensor(c.at("proximal_log_probs"));
  const at::Tensor values = tensor(c.at("values")), returns = tensor(c.at("returns"));
  EXPECT_NEAR(approx_kl(tensor(c.at("policy_log_probs")), proximal, mask).item<double>(), c.at("approx_kl"),
              1e-6);
  EXPECT_NEAR(explained_variance(values, returns, mask).item<double>(), c.at("explained_variance"), 1e-5);
  EXPECT_NEAR(rollout_gap(tensor(c.at("rollout_log_probs")), proximal, mask).item<double>(),
              c.at("rollout_gap"), 1e-6);
}

TEST(Diagnostics, NothingToMeasureIsZeroNotNan) {
  const at::Tensor x = at::ones({2, 2}), none = at::zeros({2, 2});
  EXPECT_EQ(approx_kl(x, 2 * x, none).item<double>(), 0);
  EXPECT_EQ(explained_variance(x, 2 * x, none).item<double>(), 0);
  EXPECT_EQ(explained_variance(x, 2 * x, x).item<double>(), 0)
      << "constant returns have no variance to explain";
}

TEST(Diagnostics, PerfectValuesExplainEverything) {
  const at::Tensor returns = at::tensor({1.f, 2.f, 4.f}).unsqueeze(0);
  EXPECT_NEAR(explained_variance(returns, returns, at::ones({1, 3})).item<double>(), 1, 1e-6);
}

}  // namespace
}  // namespace rft::engine
