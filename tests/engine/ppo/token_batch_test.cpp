#include "engine/ppo/token_batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace rft::engine {
namespace {

std::vector<int64_t> numbers(const at::Tensor& x) {
  return {x.data_ptr<int64_t>(), x.data_ptr<int64_t>() + x.numel()};
}

class TokenBatches : public ::testing::Test {
 protected:
  const std::vector<int64_t> prompt_a_{1, 2, 3}, completion_a_{4, 5}, prompt_b_{6}, completion_b_{7, 8, 9};
  const std::vector<TokenSequence> sequences_{{prompt_a_, completion_a_}, {prompt_b_, completion_b_}};
};

TEST_F(TokenBatches, PredictEachCompletionTokenFromThePositionBeforeIt) {
  const TokenBatch batch =
      make_token_batch(sequences_, std::vector<int64_t>{1, 0}, Targets::completion, false, at::kCPU);
  EXPECT_EQ(batch.ids.sizes(), (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(numbers(batch.ids), (std::vector<int64_t>{6, 7, 8, 0, 1, 2, 3, 4}));
  EXPECT_EQ(numbers(batch.targets), (std::vector<int64_t>{7, 8, 9, 4, 5}));
  EXPECT_EQ(numbers(batch.positions), (std::vector<int64_t>{0, 1, 2, 4 + 2, 4 + 3}));
  EXPECT_EQ(numbers(batch.rows), (std::vector<int64_t>{1, 1, 1, 0, 0}));
  EXPECT_EQ(numbers(batch.offsets), (std::vector<int64_t>{0, 1, 2, 0, 1}));
  EXPECT_FALSE(batch.ends.defined());
}

TEST_F(TokenBatches, FeedTheLastTokensWhenTheStatesAfterThemAreWanted) {
  const TokenBatch batch =
      make_token_batch(sequences_, std::vector<int64_t>{0, 1}, Targets::completion, true, at::kCPU);
  EXPECT_EQ(numbers(batch.ids), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 0}));
  EXPECT_EQ(numbers(batch.ends), (std::vector<int64_t>{4, 5 + 3}));
  EXPECT_EQ(numbers(batch.targets), (std::vector<int64_t>{4, 5, 7, 8, 9}));
}

TEST_F(TokenBatches, PredictThePromptTooButNeverItsFirstToken) {
  const TokenBatch batch =
      make_token_batch(sequences_, std::vector<int64_t>{0}, Targets::prompt_and_completion, false, at::kCPU);
  EXPECT_EQ(numbers(batch.targets), (std::vector<int64_t>{2, 3, 4, 5}));
  EXPECT_EQ(numbers(batch.offsets), (std::vector<int64_t>{-2, -1, 0, 1}));
}

TEST(MicroBatches, StayUnderTheBudgetLongestFirstAndLoseNothing) {
  const std::vector<int64_t> tokens(100, 1);
  std::vector<TokenSequence> sequences;
  for (int64_t i = 0; i < 40; ++i) {
    sequences.push_back({{tokens.data(), 3}, {tokens.data(), static_cast<size_t>(1 + i * 37 % 90)}});
  }
  std::vector<int64_t> rows(sequences.size()), seen;
  std::iota(rows.begin(), rows.end(), int64_t{0});
  int64_t before = 1000;
  for (const std::vector<int64_t>& batch : micro_batches(sequences, rows, 400, /*pads=*/true)) {
    ASSERT_FALSE(batch.empty());
    const int64_t longest = sequences[batch.front()].length();
    EXPECT_LE(longest * static_cast<int64_t>(batch.size()), 400);
    EXPECT_LE(longest, before);
    before = longest;
    for (const int64_t row : batch) EXPECT_LE(sequences[row].length(), longest);
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, rows);
}

TEST(MicroBatches, ASequenceBeyondTheBudgetGoesAlone) {
  const std::vector<int64_t> tokens(50, 1);
  const std::vector<TokenSequence> sequences(3, {{tokens.data(), 5}, {tokens.data(), 45}});
  EXPECT_EQ(micro_batches(sequences, std::vector<int64_t>{0, 1, 2}, 10, true).size(), 3u);
}

TEST(MicroBatches, PaddingIsLittleOnceTheCoresAreBusy) {
  const std::vector<int64_t> tokens(100, 1);
  const auto batches_with = [&tokens](size_t shorter, bool pads) {
    std::vector<TokenSequence> sequences(11, {{tokens.data(), 1}, {tokens.data(), 99}});
    sequences.push_back({{tokens.data(), 1}, {tokens.data(), shorter - 1}});
    std::vector<int64_t> rows(sequences.size());
    std::iota(rows.begin(), rows.end(), int64_t{0});
    return micro_batches(sequences, rows, 1 << 20, pads).size();
  };
  EXPECT_EQ(batches_with(95, true), 1u);
  EXPECT_EQ(batches_with(94, true), 2u);
  EXPECT_EQ(batches_with(94, false), 1u);
}

TEST(MicroBatches, SequencesOfUnlikeLengthDoNotPadEachOther) {
  const std::vector<int64_t> tokens(500, 1);
  std::vector<TokenSequence> sequences(4, {{tokens.data(), 1}, {tokens.data(), 499}});
  sequences.insert(sequences.end(), 4, {{tokens.data(), 1}, {tokens.data(), 9}});
  std::vector<int64_t> rows(sequences.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const auto batches = micro_batches(sequences, rows, 1 << 20, true);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[1], (std::vector<int64_t>{4, 5, 6, 7}));
}

}  // namespace
}  // namespace rft::engine
