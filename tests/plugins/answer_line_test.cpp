#include "plugins/host/answer_line.h"

#include "plugins/support.h"

namespace rft::plugins::host {
namespace {

using testing::expect_plugin_error;

TEST(AnswerLine, ReadsNumbersHoweverTheyAreWritten) {
  for (const char* line : {"0.5", " 0.5 ", "5e-1", "{\"score\": 0.5}", "{\"score\":5E-1,\"reason\":null}"})
    EXPECT_EQ(parse_score(line).result.score, 0.5) << line;
  EXPECT_EQ(parse_score("true").result.score, 1.0);
}

TEST(AnswerLine, KnowsNumbersThatAreNotFinite) {
  for (const char* line :
       {"NaN", "nan", "-nan", "Infinity", "-inf", "{\"score\": NaN}", "{\"score\":-Infinity}",
        "{\"score\": \"nan\"}", "{\"score\": 1, \"sub_scores\": {\"NaN\": NaN}}"}) {
    const auto answer = parse_score(line);
    EXPECT_EQ(answer.outcome, wire::Outcome::not_finite) << line;
    EXPECT_FALSE(answer.result.score.has_value()) << line;
  }
  EXPECT_EQ(parse_score(R"({"score": 1e-3, "reason": "NaN \" -Infinity"})").result.reason,
            "NaN \" -Infinity");
}

TEST(AnswerLine, AMissingScoreIsUnwritten) {
  EXPECT_EQ(parse_score("{}").outcome, wire::Outcome::unwritten);
  EXPECT_EQ(parse_score("{\"score\": null}").outcome, wire::Outcome::unwritten);
}

TEST(AnswerLine, RefusesEverythingElseQuotingIt) {
  for (const char* line : {"", "hello", "[1]", "\"high\"", "{\"score\": []}", "{\"score\": 1, \"valid\": 1}",
                           "{\"score\": 1, \"reason\": 5}", "{\"score\": 1, \"sub_scores\": [1]}",
                           "{\"score\": 1, \"sub_scores\": {\"a\": \"b\"}}", "{\"score\": 1", "null"})
    expect_plugin_error(PluginFailure::protocol, {"no score"}, [&] { parse_score(line); });
  expect_plugin_error(PluginFailure::protocol, {"summary"}, [&] { parse_numbers("{}"); });
  expect_plugin_error(PluginFailure::not_finite, {"\"a\""},
                      [&] { parse_numbers("{\"summary\": {\"a\": NaN}}"); });
}

}  // namespace
}  // namespace rft::plugins::host
