#include "plugins/formula.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace rft::plugins {
namespace {

double value(const std::string& text) {
  return Formula(text, {"a", "b_2"}).evaluate({{"a", 3}, {"b_2", 0.5}});
}

std::string error_of(const std::string& text) {
  try {
    value(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Formula, FollowsTheRulesOfArithmetic) {
  EXPECT_DOUBLE_EQ(value("0.7 * a + 0.3 * b_2"), 2.25);
  EXPECT_EQ(value("2 + 3 * 4 - 10 / 5"), 12);
  EXPECT_EQ(value("10 - 3 - 2"), 5);
  EXPECT_EQ(value("16 / 4 / 2"), 2);
  EXPECT_EQ(value("2 ^ 3 ^ 2"), 512);
  EXPECT_EQ(value("-2 ^ 2"), -4);
  EXPECT_EQ(value("2 ^ -1"), 0.5);
  EXPECT_EQ(value("(2 + 3) * -(1 - +2)"), 5);
  EXPECT_EQ(value("1e2 + .5"), 100.5);
}

TEST(Formula, HasTheFunctionsOfMultiGraders) {
  EXPECT_EQ(value("min(a, 1, 2) + max(a, b_2)"), 4);
  EXPECT_EQ(value("abs(-a) + floor(2.7) + ceil(2.1)"), 8);
  EXPECT_DOUBLE_EQ(value("exp(1) + log(exp(2)) + sqrt(9)"), std::exp(1.0) + 5);
}

TEST(Formula, NamesTheColumnOfWhatIsWrong) {
  EXPECT_EQ(error_of("a + what"), "column 5: \"what\" is unknown; the names are a, b_2");
  EXPECT_EQ(error_of("a + flor(a)"),
            "column 5: \"flor\" is unknown; the names are a, b_2; did you mean \"floor\"?");
  EXPECT_EQ(error_of("a +"), "column 4: the formula ends where a number, a name or \"(\" is wanted");
  EXPECT_EQ(error_of(""), "column 1: the formula ends where a number, a name or \"(\" is wanted");
  EXPECT_EQ(error_of("(a + 1"), "column 1: this \"(\" has no \")\"");
  EXPECT_EQ(error_of("a b_2"), "column 3: \"b\" cannot stand here");
  EXPECT_EQ(error_of("a $ 1"), "column 3: \"$\" cannot stand here");
  EXPECT_EQ(error_of("abs(a, 1)"), "column 1: abs takes one number, not 2");
  EXPECT_EQ(error_of("abs + 1"), "column 1: abs is a function: write abs(…)");
  EXPECT_EQ(error_of("max(a, 1"), "column 9: \")\" is wanted, which ends max(…)");
  EXPECT_EQ(error_of("1e999"), "column 1: this is no number");
  EXPECT_NE(error_of(std::string(4000, '(')).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error_of(std::string(4000, '-')).find("nested too deeply"), std::string::npos);
}

std::string sum_of_length(size_t length) {
  std::string sum = "a";
  while (sum.size() < length) sum += "+a";
  return sum;
}

TEST(Formula, IsNoDeeperThanTheStack) {
  EXPECT_EQ(value(sum_of_length(3999)), 3 * 2000);
  EXPECT_EQ(error_of(sum_of_length(2'000'001)), "column 4001: a formula has at most 4000 characters");
}

TEST(Formula, AStepWithoutAFiniteResultIsAnError) {
  EXPECT_EQ(error_of("1 / (a - 3)"), "column 3: division by zero");
  EXPECT_EQ(error_of("1 + log(a - 3)"), "column 5: the result of \"log\" is not finite");
  EXPECT_EQ(error_of("sqrt(-a)"), "column 1: the result of \"sqrt\" is not finite");
  EXPECT_EQ(error_of("min(exp(1000), 1)"), "column 5: the result of \"exp\" is not finite");
}

TEST(Formula, KnowsWhatCanBeAName) {
  for (const char* name : {"a", "_x", "b_2", "Accuracy"}) EXPECT_TRUE(Formula::is_name(name)) << name;
  for (const char* name : {"", "2b", "a-b", "a b", "min", "é"}) EXPECT_FALSE(Formula::is_name(name)) << name;
}

}  // namespace
}  // namespace rft::plugins
