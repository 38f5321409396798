#include <gtest/gtest.h>

#include <rft/testing.hpp>

TEST(MyAdapter, MakesAPromptOfTheQuestion) {
  rft::testing::DatasetAdapter adapter;
  const auto example = adapter.convert(R"({"question": "Why?", "answer": " Because."})");
  EXPECT_EQ(example.prompt, "Q: Why?\nA:");
  EXPECT_EQ(example.output, " Because.");
}

TEST(MyAdapter, RefusesARecordWithoutQuestion) {
  EXPECT_THROW(rft::testing::DatasetAdapter().convert("{}"), std::runtime_error);
}
