#include "base/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rft {
namespace {

const std::vector<std::string> kVerbs = {"cancel", "logs", "ls", "pause", "submit", "why"};

TEST(Nearest, FindsAWordOneEditAway) {
  EXPECT_EQ(nearest("sumbit", kVerbs), "submit");  // two neighbours swapped count once
  EXPECT_EQ(nearest("pasue", kVerbs), "pause");
  EXPECT_EQ(nearest("log", kVerbs), "logs");
}

TEST(Nearest, SuggestsNothingFarAway) {
  EXPECT_EQ(nearest("frobnicate", kVerbs), std::nullopt);
  EXPECT_EQ(nearest("", kVerbs), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kVerbs), std::nullopt);
}

TEST(Nearest, SuggestionReadsAsTheEndOfAnError) {
  EXPECT_EQ("unknown verb \"cancle\"" + did_you_mean("cancle", kVerbs),
            "unknown verb \"cancle\"; did you mean \"cancel\"?");
  EXPECT_EQ(did_you_mean("frobnicate", kVerbs), "");
}

}  // namespace
}  // namespace rft
