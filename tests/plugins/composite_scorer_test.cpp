#include "plugins/composite_scorer.h"

#include "plugins/composition.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

ScorerOptions python(const TemporaryFolder& folder, const std::string& name, const std::string& source) {
  ScorerOptions options = options_for(folder.write(name, source), folder);
  options.kind = "python";
  return options;
}

ScorerOptions shipped(const TemporaryFolder& folder, const std::string& name, const Json& options) {
  ScorerOptions all = options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / (name + ".so"), folder);
  all.options = options;
  return all;
}

constexpr const char* kLength = R"(
def score(episodes):
    return [{"score": len(e["completion"]), "reason": "counted", "sub_scores": {"half": len(e["completion"]) / 2},
             "valid": e["completion"] != "bbb"} for e in episodes]
def summarize(episodes):
    return {"mean": sum(e["score"] for e in episodes) / len(episodes), "valid": sum(e["valid"] for e in episodes)}
)";

TEST(CompositeScorer, CombinesScoresReasonsAndValidity) {
  const TemporaryFolder folder;
  CompositeScorer scorer(Formula("10 * same + size", {"same", "size"}),
                         {{"same", shipped(folder, "exact_match", Json::object())},
                          {"size", python(folder, "length.py", kLength)}});
  const auto requests = requests_of({"b", "bbb"});  // the record's output is "b"
  const auto results = scorer.score(requests);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].score, 11);
  EXPECT_EQ(results[1].score, 3);
  EXPECT_TRUE(results[0].valid);
  EXPECT_FALSE(results[1].valid);
  EXPECT_EQ(results[1].reason, "same: expected \"b\"; size: counted");
  using SubScores = std::vector<std::pair<std::string, double>>;
  EXPECT_EQ(results[1].sub_scores, (SubScores{{"same", 0}, {"size", 3}, {"size/half", 1.5}}));
  const std::map<std::string, double> figures = {{"size/mean", 2}, {"size/valid", 1}};
  EXPECT_EQ(scorer.summarize(requests, results), figures);
}

TEST(CompositeScorer, AnEpisodeWithoutAFiniteResultHasNoScoreAndSaysWhy) {
  const TemporaryFolder folder;
  CompositeScorer scorer(Formula("1 / same", {"same"}),
                         {{"same", shipped(folder, "exact_match", Json::object())}});
  const auto requests = requests_of({"b", "c"});
  const auto results = scorer.score(requests);
  EXPECT_EQ(results[0].score, 1);
  EXPECT_FALSE(results[1].score);
  expect_plugin_error(
      PluginFailure::not_finite,
      {"scorer multi: calculate_output: column 3: division by zero, same = 0.0", "the completion was \"c\""},
      [&] { throw scorer.failure_of(requests[1], results[1]); });
}

TEST(CompositeScorer, WhatGoesWrongNamesTheSubScorer) {
  const TemporaryFolder folder;
  const ScorerOptions one = shipped(folder, "exact_match", Json::object());
  CompositeScorer gives_up(Formula("good + bad", {"good", "bad"}),
                           {{"good", one}, {"bad", hostile_options(folder, "score", "fail_one")}});
  const auto results = gives_up.score(requests_of({"one", "three"}));
  EXPECT_TRUE(results[0].score.has_value() != results[1].score.has_value());
  const auto& failed = results[results[0].score ? 1 : 0];
  EXPECT_TRUE(failed.error.starts_with("sub-scorer bad: ")) << failed.error;
  EXPECT_TRUE(failed.sub_scores.empty());

  CompositeScorer crashes(Formula("good + bad", {"good", "bad"}),
                          {{"good", one}, {"bad", hostile_options(folder, "score", "segv")}});
  try {
    crashes.score(requests_of({"one"}));
    ADD_FAILURE();
  } catch (const PluginError& error) {
    EXPECT_EQ(error.kind(), PluginFailure::crashed);
    EXPECT_EQ(error.sub_scorer(), "bad");
    EXPECT_TRUE(std::string(error.what()).starts_with("sub-scorer bad: scorer hostile.so")) << error.what();
  }
  EXPECT_THROW(CompositeScorer(Formula("a", {"a"}), {{"a", hostile_options(folder, "create", "throw")}}),
               PluginError);
}

std::string composition_error(const char* options) {
  try {
    parse_composition(Json::parse(options));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Composition, ReadsNamedScorersAndTheirFormula) {
  const auto multi = parse_composition(Json::parse(
      R"({"graders": {"a": {"plugin": "exact_match", "options": {"strip": false}}, "b": {"plugin": "s.py"}},
          "calculate_output": "0.7 * a + 0.3 * b"})"));
  ASSERT_EQ(multi.parts.size(), 2u);
  EXPECT_EQ(multi.parts[0].plugin, "exact_match");
  EXPECT_EQ(multi.parts[0].options["strip"], false);
  EXPECT_EQ(multi.parts[1].name, "b");
  EXPECT_DOUBLE_EQ(multi.formula.evaluate({{"a", 1}, {"b", 2}}), 1.3);
}

TEST(Composition, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(composition_error("{}"), "multi needs the key \"graders\"");
  EXPECT_EQ(composition_error(R"({"graders": {"a": {"plugin": "x"}}, "calculate_ouput": "a"})"),
            "multi has the unknown key \"calculate_ouput\"; did you mean \"calculate_output\"?");
  EXPECT_EQ(composition_error(R"({"graders": {"a": {}}, "calculate_output": "a"})"),
            "graders.a needs the key \"plugin\"");
  EXPECT_TRUE(
      std::string(composition_error(R"({"graders": {"a-b": {"plugin": "x"}}, "calculate_output": "1"})"))
          .starts_with("graders.a-b cannot stand in a formula"));
  EXPECT_EQ(composition_error(R"({"graders": {"a": {"plugin": "multi"}}, "calculate_output": "a"})"),
            "graders.a is a multi itself; a formula can say all in one");
  EXPECT_EQ(composition_error(
                R"({"graders": {"a": {"plugin": "x"}, "b": {"plugin": "x"}}, "calculate_output": "a"})"),
            "calculate_output = \"a\": it does not use b; use it, or leave the scorer out");
  EXPECT_EQ(
      composition_error(R"({"graders": {"a": {"plugin": "x"}}, "calculate_output": "a +"})"),
      "calculate_output = \"a +\": column 4: the formula ends where a number, a name or \"(\" is wanted");
}

}  // namespace
}  // namespace rft::plugins
