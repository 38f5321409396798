#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "base/error.h"
#include "plugins/shipped_scorer.h"
#include "scorers/judge/verdict.h"
#include "support/endpoint.h"

namespace rft::plugins {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Judge : public ::testing::Test {
 protected:
  ScorerOptions options(const std::string& model, const Json& more = Json::object()) {
    ScorerOptions options = options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / "judge.so", folder_);
    options.options = {{"url", endpoint_.at("/v1")}, {"model", model}};
    options.options.update(more);
    if (!options.options.contains("rubric"))
      options.options["messages"] = {
          {{"role", "user"}, {"content", "{{sample.output_text}}|{{item.output}}"}}};
    options.allow_network = true;
    return options;
  }
  static std::vector<ScoreResult> score(const ScorerOptions& options,
                                        const std::vector<ScoreRequest>& requests) {
    return ScorerHost(options).score(requests);
  }
  ScoreResult one(const ScorerOptions& options) { return score(options, {request("a", "a")})[0]; }

  Endpoint endpoint_;
  TemporaryFolder folder_;
};

TEST_F(Judge, ScoresByWhatItsModelAnswers) {
  const auto results = score(options("fair"), {request("a", "a"), request("b", "a")});
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[0].reason, "it is so");
  EXPECT_EQ(results[1].score, 0.0);
  const auto asked = endpoint_.requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].path, "/v1/chat/completions");
  EXPECT_EQ(Json::parse(asked[0].body), Json::parse(R"({"model": "fair",
    "messages": [{"role": "user", "content": "a|a"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "strict": true, "schema": {
      "type": "object", "properties": {"reason": {"type": "string"},
        "score": {"type": "number", "description": "a number from 0 to 1"}},
      "required": ["reason", "score"], "additionalProperties": false}}},
    "temperature": 0})"));
}

TEST_F(Judge, TellsTheRubricTheTaskAndTheAnswer) {
  ScoreRequest asked = request("an answer", "right");
  asked.prompt = "a task";
  score(options("prose", {{"rubric", "Is it {{item.output}}?"}, {"range", {0, 5}}}), {asked});
  const Json messages = Json::parse(endpoint_.requests().at(0).body).at("messages");
  EXPECT_EQ(messages[0]["role"], "system");
  EXPECT_THAT(messages[0]["content"].get<std::string>(), HasSubstr("then \"score\", a number from 0 to 5."));
  EXPECT_EQ(messages[1]["content"], "# Rubric\n\nIs it right?\n\n# Task\n\na task\n\n# Answer\n\nan answer");
}

TEST_F(Judge, LabelsScoreOneWhereTheyPass) {
  const Json labels = {{"labels", {"right", "wrong"}}, {"passing_labels", {"right"}}};
  const auto results = score(options("labels", labels), {request("a", "a"), request("b", "a")});
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[1].score, 0.0);
  EXPECT_EQ(results[1].reason, "wrong");
  EXPECT_EQ(one(options("label_in_prose", labels)).score, 0.0);
  EXPECT_THAT(one(options("mute", labels)).error,
              HasSubstr("no label, and one of \"right\", \"wrong\" is wanted"));
}

TEST_F(Judge, SaysWhatIsWrongWithAnAnswer) {
  EXPECT_EQ(one(options("generous")).score, 1.0) << "clipped to the range";
  EXPECT_EQ(one(options("fenced")).score, 0.5);
  EXPECT_EQ(one(options("prose")).score, 0.75);
  EXPECT_EQ(one(options("thinking")).score, 0.25);
  EXPECT_EQ(one(options("mute")).error, "the judge answered no number from 0 to 1: \"I cannot say.\"");
  EXPECT_EQ(one(options("refusing")).error, "the judge refuses: \"I will not grade this.\"");
  EXPECT_THAT(one(options("cut")).error,
              HasSubstr("cut off at its limit of tokens; raise max_completion_tokens"));
  EXPECT_THAT(one(options("unknown")).error, HasSubstr("the endpoint answered no chat completion"));
  EXPECT_THAT(one(options("fair", {{"url", endpoint_.at("/failing/9/404")}})).error,
              HasSubstr("/failing/9/404/chat/completions: HTTP 404"));
}

TEST_F(Judge, AsksTheSameOnce) {
  ScorerHost scorer(options("fair"));
  const std::vector<ScoreRequest> four = {request("a", "a"), request("b", "a"), request("a", "a"),
                                          request("b", "a")};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(scorer.score(four)[2].score, 1.0);
  EXPECT_EQ(endpoint_.requests().size(), 2u);
  const auto numbers = scorer.summarize(four, scorer.score(four)).value();
  EXPECT_EQ(numbers.at("judge_requests"), 2.0);
  EXPECT_EQ(numbers.at("judge_tokens"), 200.0);
  ScorerHost forgetful(options("fair", {{"cache", false}}));
  for (int i = 0; i < 2; ++i) forgetful.score(four);
  EXPECT_EQ(endpoint_.requests().size(), 6u);
}

TEST_F(Judge, KeepsToItsBudget) {
  const std::vector<ScoreRequest> three = {request("a", "a"), request("b", "a"), request("c", "a")};
  const auto few = score(options("fair", {{"max_requests", 2}}), three);
  EXPECT_EQ(few[1].score, 0.0);
  EXPECT_EQ(few[2].error, "the judge's budget is spent: 2 of max_requests = 2");
  ScorerHost scorer(options("fair", {{"max_tokens", 250}}));
  EXPECT_EQ(scorer.score(three)[2].error,
            "the judge's budget is spent: 200 of max_tokens = 250, and a request may take 100");
  EXPECT_EQ(scorer.score(three)[0].score, 1.0) << "what it knows costs nothing";
  EXPECT_EQ(endpoint_.requests().size(), 4u);
  // What an answer may have counts, not what those before it had.
  const auto longer = score(
      options("fair", {{"max_tokens", 240}, {"sampling_params", {{"max_completion_tokens", 60}}}}), three);
  EXPECT_EQ(longer[1].error,
            "the judge's budget is spent: 100 of max_tokens = 240, and a request may take 150");
  EXPECT_EQ(endpoint_.requests().size(), 5u);
}

TEST_F(Judge, CountsTheTokensOfRequestsThatOtherProcessesHaveUnderWay) {
  ScorerOptions shared = options("fair", {{"max_tokens", 350}});
  shared.state_file = folder_.path() / "state/judge";
  ScorerHost scorer(shared);
  scorer.score({{request("a", "a")}});
  const auto of_another = [&](const char* line) {
    std::ofstream(shared.state_file, std::ios::app) << line << "\n";
  };
  of_another(R"({"asks":2,"reserves":200})");
  EXPECT_EQ(scorer.score({{request("b", "a")}})[0].error,
            "the judge's budget is spent: 100 of max_tokens = 350, and a request may take 100 beside "
            "those not answered yet");
  of_another(R"({"settles":100})");  // it got no answer
  of_another(R"({"tokens":80,"prompt":70,"settles":100})");
  EXPECT_EQ(scorer.score({{request("b", "a")}})[0].score, 0.0);
}

// As the hosts of a job do, and those of the attempt after it.
TEST_F(Judge, SharesBudgetAndAnswersThroughTheJobsFile) {
  const auto shared = [&](const Json& more) {
    ScorerOptions options = this->options("fair", more);
    options.state_file = folder_.path() / "state/judge";
    return options;
  };
  const Json four = {{"max_requests", 4}};
  ScorerHost first(shared(four)), second(shared(four));
  const std::vector<ScoreRequest> two = {request("a", "a"), request("b", "a")};
  first.score(two);
  EXPECT_EQ(second.score(two)[0].reason, "it is so");
  EXPECT_EQ(endpoint_.requests().size(), 2u) << "the second knows what the first was told";
  second.score({{request("c", "a")}});
  EXPECT_EQ(first.summarize(two, first.score(two))->at("judge_tokens"), 300.0);
  std::ofstream(folder_.path() / "state/judge", std::ios::app) << R"({"asks": 9)";  // of one that was killed
  const auto last = score(shared(four), {request("c", "a"), request("d", "a"), request("e", "a")});
  EXPECT_EQ(last[1].score, 0.0);
  EXPECT_EQ(last[2].error, "the judge's budget is spent: 4 of max_requests = 4");
  EXPECT_EQ(first.score({{request("f", "a")}})[0].error, last[2].error);
  EXPECT_EQ(endpoint_.requests().size(), 4u);
  // What an answer is worth depends on the range, too.
  EXPECT_EQ(score(shared({{"max_requests", 5}, {"range", {2, 3}}}), {request("a", "a")})[0].score, 2.0);
}

TEST_F(Judge, WhatAKilledProcessHadAskedCounts) {
  const auto shared = [&] {
    ScorerOptions options = this->options("slow", {{"max_requests", 4}});
    options.state_file = folder_.path() / "state/judge";
    return options;
  };
  std::thread killed([&] {
    EXPECT_THROW(score(shared(), {request("a", "a"), request("b", "a"), request("c", "a")}), PluginError);
  });
  while (endpoint_.requests().size() < 3) ::usleep(1000);
  for (const std::string& process : processes_of(folder_)) ::kill(std::stoi(process), SIGKILL);
  killed.join();
  EXPECT_EQ(score(shared(), {request("a", "a"), request("b", "a")})[1].error,
            "the judge's budget is spent: 4 of max_requests = 4");
  EXPECT_EQ(endpoint_.requests().size(), 4u);
}

TEST_F(Judge, GivesAnUnfitCompletionTheLowestScore) {
  const Json messages = {{{"role", "user"}, {"content", "{{sample.output_json.a}}|1"}}};
  const auto results =
      score(options("fair", {{"messages", messages}, {"range", {-1, 1}}, {"rubric", nullptr}}),
            {request("no json", ""), request(R"({"a": 1})", "")});
  EXPECT_EQ(results[0].score, -1.0);
  EXPECT_FALSE(results[0].valid);
  EXPECT_EQ(results[1].score, 1.0);
  EXPECT_EQ(endpoint_.requests().size(), 1u);
}

TEST_F(Judge, SendsItsSamplingParameters) {
  one(options("fair", {{"sampling_params", {{"reasoning_effort", "low"}, {"max_completion_tokens", 64}}},
                       {"response_format", "json_object"}}));
  const Json body = Json::parse(endpoint_.requests().at(0).body);
  EXPECT_EQ(body["max_completion_tokens"], 64);
  EXPECT_FALSE(body.contains("temperature")) << "models that reason take none";
  EXPECT_EQ(body["response_format"], Json::parse(R"({"type": "json_object"})"));
}

TEST_F(Judge, RefusesOptionsThatMakeNoSense) {
  const std::pair<Json, const char*> cases[] = {
      {{{"model", ""}}, "the option `model` is needed"},
      {{{"rubric", "r"}, {"messages", Json::array()}}, "one of the options `rubric` and `messages`"},
      {{{"rubric", "r"}, {"range", {1, 0}}}, "\"range\" must be two numbers, the lower one first"},
      {{{"rubric", "r"}, {"labels", {"a"}}}, "\"labels\" and \"passing_labels\""},
      {{{"rubric", "r"}, {"labels", {"a"}}, {"passing_labels", {"b"}}},
       "has \"b\", which is none of \"labels\""},
      {{{"rubric", "r"}, {"sampling_params", {{"n", 2}}}}, "\"sampling_params\" cannot hold \"n\""},
      {{{"rubric", "{{itm.x}}"}}, "begins with neither item nor sample"},
      {{{"rubric", "r"}, {"rubrik", "r"}}, "unknown option \"rubrik\""},
  };
  for (const auto& [more, part] : cases)
    expect_plugin_error(PluginFailure::threw, {part}, [&] { ScorerHost{options("fair", more)}; });
}

Verdict verdict(const std::string& content, const Scale& scale) {
  return verdict_of({{"choices", {{{"message", {{"content", content}}}}}}}, scale);
}

TEST(Verdict, TakesTheNumberThatIsMeant) {
  const std::pair<const char*, double> cases[] = {
      {"7", 7},
      {"7/10", 7},
      {"**Score:** 8 / 10", 8},
      {"Score: 6.5 out of 10. It lacks 2 sources.", 6.5},
      {"A scorecard of 3 points. Final score is 4", 4},
      {"I find 2 errors in 9 lines, hence 5.", 5},
      {"{\"score\": \"3\"}", 3},
      {"Here: {\"reason\": \"{\", \"score\": 2} as asked", 2},
      {"1e1", 10},
  };
  for (const auto& [text, score] : cases) EXPECT_EQ(verdict(text, {0, 10, {}, {}}).score, score) << text;
  EXPECT_EQ(verdict("-0.5", {-1, 1, {}, {}}).score, -0.5);
  EXPECT_EQ(verdict("score (-1-1): 0.5", {-1, 1, {}, {}}).score, -1) << "the first behind the word";
  for (const char* text : {"", "none", "11", "v2"})
    EXPECT_THROW(verdict(text, {0, 10, {}, {}}), std::runtime_error);
}

TEST(Verdict, TakesTheOneLabelThatIsNamed) {
  const Scale scale{0, 1, {"good", "not good", "très bien"}, {"good", "très bien"}};
  EXPECT_EQ(verdict("Good.", scale).score, 1);
  EXPECT_EQ(verdict("\"not good\"", scale).score, 0);
  EXPECT_EQ(verdict("It is très bien", scale).score, 1);
  EXPECT_THROW(verdict("It is not good", scale), std::runtime_error) << "names two";
  EXPECT_THROW(verdict("goodness", scale), std::runtime_error);
}

}  // namespace
}  // namespace rft::plugins
