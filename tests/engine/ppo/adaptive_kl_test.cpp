#include "engine/ppo/adaptive_kl.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

TEST(AdaptiveKl, EqualsTheStoredValues) {
  for (const Json& c : testing::ppo_vectors().at("adaptive_kl")) {
    EXPECT_NEAR(
        adapted_kl_coef(c.at("kl_coef"), c.at("kl"), c.at("target"), c.at("num_episodes"), c.at("horizon")),
        c.at("next"), 1e-12);
  }
}

TEST(AdaptiveKl, AStepIsNeverMoreThanAFifth) {
  EXPECT_DOUBLE_EQ(adapted_kl_coef(1, 0, 0.1, 1e6, 10), 0.8);
  EXPECT_DOUBLE_EQ(adapted_kl_coef(1, 9, 0.1, 1e6, 10), 1.2);
}

TEST(AdaptiveKl, AKlThatIsNotFiniteMovesNothing) {
  EXPECT_EQ(adapted_kl_coef(0.05, std::numeric_limits<double>::quiet_NaN(), 0.1, 1, 1), 0.05);
}

}  // namespace
}  // namespace rft::engine
