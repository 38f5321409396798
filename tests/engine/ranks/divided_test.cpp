#include "engine/rollout/divided.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/support/run_ranks.h"
#include "engine/support/tiny_model.h"
#include "engine/support/tiny_policy.h"

namespace rft::engine {
namespace {

std::vector<Prompt> some_prompts(int64_t count) {
  std::vector<Prompt> prompts;
  for (int64_t i = 0; i < count; ++i)
    prompts.push_back(
        {some_ids(2 + (i * 5) % 9, static_cast<uint64_t>(i)), 1 + i % 3, static_cast<uint64_t>(i)});
  return prompts;
}

SamplingOptions sampling() {
  SamplingOptions options;
  options.max_new_tokens = 20;
  options.seed = 3;
  return options;
}

TEST(DividedRollouts, AreTheSameCompletionsHoweverManyRanksThereAre) {
  at::set_num_threads(1);
  for (const int64_t count : {7, 1, 0}) {
    const std::vector<Prompt> prompts = some_prompts(count);
    testing::SilentProgress silent;
    const auto expected = generate(*tiny_decoder(), prompts, sampling(), nullptr, silent);
    testing::run_ranks(3, [&](Ranks& ranks) {
      at::set_num_threads(1);
      testing::SilentProgress progress;
      std::vector<size_t> told;
      const auto completions =
          generate_divided(*tiny_decoder(), prompts, sampling(), nullptr, progress, ranks,
                           [&](size_t prompt, const std::vector<Completion>& samples) {
                             told.push_back(prompt);
                             EXPECT_EQ(samples.size(), expected[prompt].size());
                           });
      for (const size_t prompt : told) EXPECT_EQ(prompt % 3, static_cast<size_t>(ranks.rank()));
      ASSERT_EQ(completions.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(completions[i].size(), expected[i].size());
        for (size_t sample = 0; sample < expected[i].size(); ++sample) {
          EXPECT_EQ(completions[i][sample].ids, expected[i][sample].ids) << i;
          EXPECT_EQ(completions[i][sample].finish, expected[i][sample].finish);
          ASSERT_EQ(completions[i][sample].log_probs.size(), expected[i][sample].log_probs.size());
          for (size_t t = 0; t < expected[i][sample].log_probs.size(); ++t)
            EXPECT_NEAR(completions[i][sample].log_probs[t], expected[i][sample].log_probs[t], 1e-5);
        }
      }
      if (count == 7) {
        EXPECT_LT(progress.last_total, 13) << "each did its share alone";
      }
    });
  }
}

TEST(DividedRollouts, BreakOffOnEveryRankWhenOneIsAskedToStop) {
  struct Stopped : testing::SilentProgress {
    bool stop_requested() const override { return true; }
  };
  struct Halted : testing::SilentProgress {
    explicit Halted(const Ranks& all) : ranks(all) {}
    bool stop_requested() const override { return ranks.halted(); }
    const Ranks& ranks;
  };
  const auto thrown = testing::outcomes_of_ranks(2, [](Ranks& ranks) {
    at::set_num_threads(1);
    Stopped stopped;
    Halted halted(ranks);
    ProgressSink& sink = ranks.first() ? static_cast<ProgressSink&>(stopped) : halted;
    generate_divided(*tiny_decoder(), some_prompts(5), sampling(), nullptr, sink, ranks);
  });
  for (const auto& one : thrown) EXPECT_EQ(testing::text_of(one), "interrupted");
}

}  // namespace
}  // namespace rft::engine
