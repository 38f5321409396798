#include "engine/ppo/warmup.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/support/tiny_policy.h"

namespace rft::engine {
namespace {

using testing::slow_log_probs;
using testing::tiny_policy;

// Reversing two tokens, then the end: learnable by heart.
std::vector<WarmupExample> examples() {
  std::vector<WarmupExample> all;
  for (int64_t i = 0; i < 12; ++i) all.push_back({{1, 3 + i, 20 - i}, {20 - i, 3 + i, 0}});
  return all;
}

TEST(Warmup, LearnsItsExamples) {
  const auto policy = tiny_policy();
  WarmupOptions options;
  options.epochs = 40;
  options.batch_size = 5;
  options.learning_rate = 1e-2;
  Warmup warmup(policy, examples(), options);
  EXPECT_EQ(warmup.num_steps(), 120);
  const double first = warmup.step().at("warmup/loss");
  double last = first;
  while (!warmup.done()) last = warmup.step().at("warmup/loss");
  EXPECT_GT(first, 2);
  EXPECT_LT(last, 0.2);
  EXPECT_EQ(warmup.steps_done(), 120);
}

TEST(Warmup, TheLossIsTheWeightedMeanOverTokens) {
  const auto policy = tiny_policy();
  const std::vector<WarmupExample> two = {{{5, 6, 7}, {8, 9}}, {{3}, {4, 0}}};
  const at::NoGradGuard no_grad;
  const at::Tensor outputs =
      at::cat({slow_log_probs(*policy, {5, 6, 7}, {8, 9}), slow_log_probs(*policy, {3}, {4, 0})});
  const at::Tensor prompts = slow_log_probs(*policy, {5}, {6, 7});
  for (const double prompt_loss : {0.0, 0.25}) {
    const at::AutoGradMode grad(true);
    const auto fresh = tiny_policy();
    WarmupOptions options;
    options.prompt_loss = prompt_loss;
    const double loss = Warmup(fresh, two, options).step().at("warmup/loss");
    const double expected =
        -(outputs.sum() + prompt_loss * prompts.sum()).item<double>() / (4 + 2 * prompt_loss);
    EXPECT_NEAR(loss, expected, 1e-5) << prompt_loss;
  }
}

TEST(Warmup, RefusesWhatItCannotLearnFrom) {
  const auto policy = tiny_policy();
  EXPECT_THROW(Warmup(policy, {}, {}), Error);
  EXPECT_THROW(Warmup(policy, {{{1}, {}}}, {}), Error);
  EXPECT_THROW(Warmup(policy, {{{}, {1}}}, {}), Error);
  EXPECT_THROW(Warmup(policy, {{{1}, {32}}}, {}), Error);
}

}  // namespace
}  // namespace rft::engine
