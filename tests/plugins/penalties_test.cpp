#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

ScoreRequest sized(int64_t tokens, double seconds = 0, const std::string& completion = "") {
  ScoreRequest result = request(completion, "");
  result.prompt_tokens = 1000;
  result.completion_tokens = tokens;
  result.generation_s = seconds;
  return result;
}

TEST(LengthPenalty, IsLinearBeyondItsBoundsAndCapped) {
  ShippedScorer scorer("length_penalty", {{"min", 2}, {"max", 10}, {"rate", 0.125}, {"cap", 0.5}});
  const std::vector<ScoreRequest> requests = {sized(0), sized(2), sized(10), sized(12), sized(1000)};
  EXPECT_EQ(scorer.scores(requests), (std::vector<double>{-0.25, 0, 0, -0.25, -0.5}));
  EXPECT_EQ(scorer->score(requests)[3].sub_scores,
            (std::vector<std::pair<std::string, double>>{{"length", 12}}));
  const auto numbers = *scorer->summarize(requests, scorer->score(requests));
  EXPECT_DOUBLE_EQ(numbers.at("length_mean"), 1024.0 / 5);
  EXPECT_DOUBLE_EQ(numbers.at("length_p50"), 10);
  EXPECT_DOUBLE_EQ(numbers.at("length_p95"), 1000);
}

TEST(LengthPenalty, CountsWordsAndCharacters) {
  const std::vector<ScoreRequest> requests = {sized(9, 0, " zwei  Wörter\n"), sized(9, 0, "äöü😀"), sized(9)};
  EXPECT_EQ(ShippedScorer("length_penalty", {{"unit", "words"}, {"max", 0}, {"rate", 1}, {"cap", 100}})
                .scores(requests),
            (std::vector<double>{-2, -1, 0}));
  EXPECT_EQ(ShippedScorer("length_penalty", {{"unit", "characters"}, {"max", 0}, {"rate", 1}, {"cap", 100}})
                .scores(requests),
            (std::vector<double>{-14, -4, 0}));
}

TEST(LatencyPenalty, IsLinearBeyondItsBoundAndCapped) {
  ShippedScorer scorer("latency_penalty", {{"max_s", 0.5}, {"rate", 2}, {"cap", 0.75}});
  const std::vector<ScoreRequest> requests = {sized(1, 0.1), sized(1, 0.75), sized(1, 60)};
  EXPECT_EQ(scorer.scores(requests), (std::vector<double>{0, -0.5, -0.75}));
  EXPECT_DOUBLE_EQ(scorer->summarize(requests, scorer->score(requests))->at("latency_s_p95"), 60);
}

TEST(TokenCost, TakesOffWhatACompletionCosts) {
  ShippedScorer scorer("token_cost",
                       {{"prompt_price", 1}, {"completion_price", 10}, {"budget", 0.002}, {"rate", 100}});
  const std::vector<ScoreRequest> requests = {sized(0), sized(600), sized(100'000)};
  const auto scores = scorer.scores(requests);
  EXPECT_EQ(scores[0], 0);
  EXPECT_DOUBLE_EQ(scores[1], -0.5);
  EXPECT_EQ(scores[2], -1);
  EXPECT_DOUBLE_EQ(scorer->score(requests)[1].sub_scores.at(0).second, 0.007);
  EXPECT_DOUBLE_EQ(scorer->summarize(requests, scorer->score(requests))->at("cost_p50"), 0.007);
}

TEST(Penalties, NameTheOptionThatIsWrong) {
  expect_options_refused("length_penalty", {{"rate", 1}}, {"the option `max` is needed"});
  expect_options_refused("length_penalty", {{"max", 1}}, {"the option `rate` is needed"});
  expect_options_refused("length_penalty", {{"max", 1}, {"min", 2}, {"rate", 1}}, {"\"min\" is larger"});
  expect_options_refused("length_penalty", {{"max", 1}, {"rate", 1}, {"unit", "lines"}},
                         {"\"unit\" is \"lines\"", "\"tokens\", \"words\""});
  expect_options_refused("latency_penalty", {{"max_s", "1"}, {"rate", 1}}, {"\"max_s\" must be a number"});
  expect_options_refused("latency_penalty", {{"max_s", 1}, {"rate", -1}}, {"\"rate\" must be at least 0"});
  expect_options_refused("latency_penalty", {{"max", 1}}, {"unknown option \"max\"", "max_s"});
  expect_options_refused("token_cost", {{"rate", 1}}, {"a price is needed"});
}

}  // namespace
}  // namespace rft::plugins
