#include <gtest/gtest.h>

#include <rft/testing.hpp>

const char kRecord[] = R"({"keyword": "apple"})";

TEST(MyScorer, WantsTheKeywordInAShortAnswer) {
  rft::testing::Scorer scorer(R"({"limit": 20})");
  EXPECT_DOUBLE_EQ(scorer.score({"an apple", kRecord}).score, 1.0);
  EXPECT_DOUBLE_EQ(scorer.score({"an apple, I should think", kRecord}).score, 0.8);
  const auto wrong = scorer.score({"a stone", kRecord});
  EXPECT_DOUBLE_EQ(wrong.score, 0.2);
  EXPECT_EQ(wrong.reason, "keyword missing");
}

TEST(MyScorer, RefusesARecordWithoutKeywordAndAnUnknownOption) {
  EXPECT_THROW(rft::testing::Scorer().score({"an apple"}), std::runtime_error);
  EXPECT_THROW(rft::testing::Scorer(R"({"limits": 20})"), std::runtime_error);
}
