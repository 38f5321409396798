#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

#define EXPECT_SCORES(options, requests, ...) \
  EXPECT_EQ(ShippedScorer("regex", options).scores(requests), (std::vector<double>{__VA_ARGS__}))

TEST(Regex, ScoresWhetherThePatternIsFound) {
  const std::vector<ScoreRequest> requests = {request("ab12", ""), request("12", ""), request("AB", ""),
                                              request("", "")};
  EXPECT_SCORES((Json{{"pattern", "[a-z]+"}}), requests, 1, 0, 0, 0);
  EXPECT_SCORES((Json{{"pattern", "[a-z]+"}, {"ignore_case", true}}), requests, 1, 0, 1, 0);
  EXPECT_SCORES((Json{{"pattern", "\\d+"}, {"match", "whole"}}), requests, 0, 1, 0, 0);
  EXPECT_SCORES((Json{{"pattern", "\\d"}, {"negate", true}}), requests, 0, 0, 1, 1);
  EXPECT_SCORES((Json{{"pattern_key", "output"}}),
                (std::vector<ScoreRequest>{request("übel", "^.bel$"), request("x", "y")}), 1, 0);
}

TEST(Regex, ComparesWhatItCaptures) {
  const std::vector<ScoreRequest> requests = {request("answer: no, answer: yes.", "yes"),
                                              request("answer: YES", "yes"), request("yes", "yes")};
  const Json pattern = {{"pattern", "answer: (\\w+)"}, {"target", "output"}, {"partial_credit", 0.25}};
  const auto with = [&](const Json& more) {
    Json options = pattern;
    options.update(more);
    return options;
  };
  EXPECT_SCORES(pattern, requests, 0.25, 0.25, 0);
  EXPECT_SCORES(with({{"take", "last"}}), requests, 1, 0.25, 0);
  EXPECT_SCORES(with({{"ignore_case", true}}), requests, 0.25, 1, 0);
  EXPECT_SCORES(with({{"group", 0}}), requests, 0.25, 0.25, 0);
  EXPECT_SCORES((Json{{"pattern", "\\w*"}, {"target", "output"}, {"take", "last"}}),
                (std::vector<ScoreRequest>{request("é x", ""), request("", "")}), 1, 1);
  const auto result = ShippedScorer("regex", pattern)->score(requests);
  EXPECT_EQ(result[0].reason, "expected \"yes\", found \"no\"");
  EXPECT_TRUE(result[0].valid);
  EXPECT_FALSE(result[2].valid);
}

TEST(Regex, NamesTheOptionThatIsWrong) {
  expect_options_refused("regex", Json::object(), {"either `pattern` or `pattern_key` is needed"});
  expect_options_refused("regex", {{"pattern", "a("}}, {"the pattern \"a(\" is refused", "missing )"});
  expect_options_refused("regex", {{"pattern", "(?=a)"}}, {"no look-around"});
  expect_options_refused("regex", {{"pattern", "(a{1000}){1000}"}}, {"is refused"});
  expect_options_refused("regex", {{"pattern", 1}}, {"\"pattern\" must be a string"});
  expect_options_refused("regex", {{"pattern", "a"}, {"group", 1}}, {"need `target`"});
  expect_options_refused("regex", {{"pattern", "a"}, {"group", 1}, {"target", "x"}}, {"has no group 1"});
  expect_options_refused("regex", {{"pattern", "a"}, {"group", 0.5}, {"target", "x"}}, {"whole number"});
  expect_options_refused("regex", {{"pattern", "a"}, {"match", "all"}},
                         {"\"match\" is \"all\"", "\"whole\""});
  expect_options_refused("regex", {{"pattern", "a"}, {"flags", "i"}}, {"unknown option \"flags\""});
  expect_plugin_error(PluginFailure::threw, {"no \"output\"", "`pattern_key`"}, [] {
    ShippedScorer("regex", {{"pattern_key", "output"}}).scores({request_of("a", Json::object())});
  });
}

// What takes a backtracking matcher forever, or all of its stack.
TEST(Regex, NeitherHangsNorOverflowsItsStack) {
  const std::string text(1'000'000, 'a');
  const std::vector<ScoreRequest> requests = {request(text + "!", ""), request(text, "")};
  EXPECT_SCORES((Json{{"pattern", "^(a+)+$"}}), requests, 0, 1);
  EXPECT_SCORES((Json{{"pattern", "^(a|aa)*$"}}), requests, 0, 1);
  EXPECT_SCORES((Json{{"pattern", "(.*a){12}$"}}), requests, 0, 1);
}

}  // namespace
}  // namespace rft::plugins
