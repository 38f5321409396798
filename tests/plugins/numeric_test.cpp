#include <cmath>

#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

// The numbers that the scorer reads out of each text; NaN where it reads none.
std::vector<double> read(const std::vector<std::string>& texts, const Json& options = Json::object()) {
  std::vector<ScoreRequest> requests;
  for (const auto& text : texts) requests.push_back(request(text, "0"));
  std::vector<double> numbers;
  for (const auto& result : ShippedScorer("numeric", options)->score(requests))
    numbers.push_back(result.sub_scores.empty() ? std::nan("") : result.sub_scores[0].second);
  return numbers;
}

void expect_read(const std::vector<std::pair<std::string, double>>& cases,
                 const Json& options = Json::object()) {
  std::vector<std::string> texts;
  for (const auto& [text, number] : cases) texts.push_back(text);
  const auto numbers = read(texts, options);
  for (size_t i = 0; i < cases.size(); ++i) EXPECT_DOUBLE_EQ(numbers[i], cases[i].second) << cases[i].first;
}

TEST(Numeric, ReadsNumbersAsPeopleWriteThem) {
  expect_read({{"so 6 * 7 = 42.", 42},
               {"1,234,567.89", 1234567.89},
               {"1'234'567", 1234567},
               {"1_000", 1000},
               {"12\u202F345", 12345},
               {"1,2345", 2345},
               {"1,2", 2},
               {"(3, 4)", 4},
               {"1234,567", 567},
               {"0,123", 123},
               {".5", 0.5},
               {"-5", -5},
               {"\u22125.5", -5.5},
               {"x = +5", 5},
               {"7-5", 5},
               {"-$1,000", -1000},
               {"$-3", -3},
               {"\\$7.50", 7.5},
               {"1.5e3", 1500},
               {"1.5E-3", 0.0015},
               {"2.5 \u00d7 10^3", 2500},
               {"2 \\times 10^{-2}", 0.02},
               {"3\u00b710\u207b\u00b2", 0.03},
               {"2 x 10", 10},
               {"3/4", 0.75},
               {"-3/4", -0.75},
               {"1 1/2", 1.5},
               {"\\frac{1}{4}", 0.25},
               {"-\\dfrac{1}{4}", -0.25},
               {"1/0", 0},
               {"on 3/4/2024", 2024},
               {"12.5%", 0.125},
               {"12.5 percent", 0.125},
               {"12 percentages", 12},
               {"\\boxed{42}", 42},
               {"**42**", 42},
               {"7 CO2", 7},
               {"\u7b54\u6848\u662f42\u3002", 42}});
  const auto none = read({"", "none", "CO2", "1e999", "-", "."});
  for (size_t i = 0; i < none.size(); ++i) EXPECT_TRUE(std::isnan(none[i])) << i << ": " << none[i];
  expect_read({{"1.234.567,5", 1234567.5}, {"1,5", 1.5}, {"1.5", 5}}, {{"decimal", ","}});
}

TEST(Numeric, ConvertsUnits) {
  const Json units = {{"units", {{"m", 1}, {"km", 1000}, {"cm", 0.01}, {"\u20ac", 1.5}}}};
  expect_read({{"2 km", 2000},
               {"2km.", 2000},
               {"3 m", 3},
               {"3 miles", 3},
               {"50cm", 0.5},
               {"\u20ac2", 3},
               {"2 \u20ac", 3},
               {"4", 4}},
              units);
  Json required = units;
  required["require_unit"] = true;
  ShippedScorer scorer("numeric", required);
  const auto results = scorer->score({{request("0.5 km", "500 m"), request("500", "500 m")}});
  EXPECT_EQ(results[0].score, 1);
  EXPECT_EQ(results[1].score, 0);
  EXPECT_EQ(results[1].reason, "no unit");
  EXPECT_FALSE(results[1].valid);
  expect_read({{"50%", 50}}, {{"units", {{"%", 1}}}});
}

TEST(Numeric, ForgivesWhatItsTolerancesSay) {
  const std::vector<ScoreRequest> requests = {
      request_of("100", {{"output", 100}}), request_of("101", {{"output", 100}}),
      request_of("105", {{"output", 100}}), request_of("x", {{"output", 100}}),
      request_of("0.05", {{"output", 0}})};
  EXPECT_EQ(ShippedScorer("numeric", Json::object()).scores(requests), (std::vector<double>{1, 0, 0, 0, 0}));
  EXPECT_EQ(ShippedScorer("numeric", {{"tolerance", 1}}).scores(requests),
            (std::vector<double>{1, 1, 0, 0, 1}));
  EXPECT_EQ(ShippedScorer("numeric", {{"relative_tolerance", 0.05}}).scores(requests),
            (std::vector<double>{1, 1, 1, 0, 0}));
  const auto partial =
      ShippedScorer("numeric", {{"partial_credit", 0.5}, {"partial_within", 0.1}}).scores(requests);
  EXPECT_EQ(partial[0], 1);
  EXPECT_DOUBLE_EQ(partial[1], 0.5 * 0.9);
  EXPECT_DOUBLE_EQ(partial[2], 0.5 * 0.5);
  EXPECT_EQ(partial[3], 0);
  EXPECT_DOUBLE_EQ(partial[4], 0.5 * 0.5);
}

TEST(Numeric, TakesTheNumberThatIsAskedFor) {
  const std::vector<ScoreRequest> requests = {request("1 then 2", "#### 2"), request(" 2\n", "2")};
  EXPECT_EQ(ShippedScorer("numeric", Json::object()).scores(requests), (std::vector<double>{1, 1}));
  EXPECT_EQ(ShippedScorer("numeric", {{"take", "first"}}).scores(requests), (std::vector<double>{0, 1}));
  EXPECT_EQ(ShippedScorer("numeric", {{"take", "whole"}})
                .scores({request("1 then 2", "2"), request(" 2\n", "2"), request("-2%", "-0.02")}),
            (std::vector<double>{0, 1, 1}));
}

TEST(Numeric, NamesTheOptionOrRecordThatIsWrong) {
  expect_options_refused("numeric", {{"tolerance", -1}}, {"\"tolerance\" must be at least 0"});
  expect_options_refused("numeric", {{"tolerance", "1%"}}, {"\"tolerance\" must be a number"});
  expect_options_refused("numeric", {{"partial_credit", 2}}, {"\"partial_credit\" must be from 0 to 1"});
  expect_options_refused("numeric", {{"units", "km"}}, {"\"units\" must be a table"});
  expect_options_refused("numeric", {{"units", {{"km", "1"}}}}, {"\"km\" must be a number"});
  expect_options_refused("numeric", {{"require_unit", true}}, {"needs \"units\""});
  expect_options_refused("numeric", {{"precision", 1}}, {"unknown option \"precision\""});
  expect_plugin_error(PluginFailure::threw, {"\"output\" is \"none\", which holds no number"},
                      [] { ShippedScorer("numeric", Json::object()).scores({request("1", "none")}); });
}

// Long and odd texts take time in proportion to their length.
TEST(Numeric, ReadsHugeTexts) {
  std::string odd;
  for (int i = 0; i < 100'000; ++i) odd += "1,";
  EXPECT_EQ(read({std::string(1'000'000, '9') + " 7", odd + "8", std::string(1'000'000, '-') + "9"}),
            (std::vector<double>{7, 8, -9}));
}

}  // namespace
}  // namespace rft::plugins
