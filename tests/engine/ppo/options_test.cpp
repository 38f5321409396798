#include "engine/ppo/options.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rft::engine {
namespace {

TEST(PpoOptions, TheDefaultsAreValid) { EXPECT_NO_THROW(check_options({})); }

TEST(PpoOptions, AnUnknownNameListsTheKnownOnes) {
  try {
    advantage_estimator_from_string("ppo");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.field(), "advantage_estimator");
    EXPECT_NE(std::string(error.what()).find("gae, grpo, dr_grpo, rloo, reinforce++, reinforce++_baseline"),
              std::string::npos)
        << error.what();
  }
}

TEST(PpoOptions, BootstrapNeedsAValueHead) {
  PpoOptions options;
  options.missing_eos = MissingEos::bootstrap;
  EXPECT_NO_THROW(check_options(options));
  options.advantage_estimator = AdvantageEstimator::grpo;
  EXPECT_THROW(check_options(options), Error);
}

TEST(PpoOptions, AutomaticNormalisationFollowsTheEstimator) {
  using enum LossNormalisation;
  EXPECT_EQ(resolve_normalisation(automatic, AdvantageEstimator::gae), token);
  EXPECT_EQ(resolve_normalisation(automatic, AdvantageEstimator::grpo), sequence);
  EXPECT_EQ(resolve_normalisation(automatic, AdvantageEstimator::dr_grpo), constant);
  EXPECT_EQ(resolve_normalisation(token, AdvantageEstimator::grpo), token);
}

}  // namespace
}  // namespace rft::engine
