#include "plugins/grader.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rft::plugins {
namespace {

TEST(Grader, TranslatesEachTypeIntoAPluginAndItsOptions) {
  const auto check = translate_grader(Json::parse(
      R"({"type": "string_check", "name": "x", "input": "{{sample.output_text}}", "reference": "{{item.a}}",
          "operation": "ilike"})"));
  EXPECT_EQ(check.plugin, "string_check");
  EXPECT_EQ(
      check.options,
      Json::parse(R"({"input": "{{sample.output_text}}", "reference": "{{item.a}}", "operation": "ilike"})"));
  const auto similarity = translate_grader(Json::parse(
      R"({"type": "text_similarity", "input": "a", "reference": "b", "evaluation_metric": "rouge_l",
          "pass_threshold": 0.9})"));
  EXPECT_EQ(similarity.plugin, "text_similarity");
  EXPECT_EQ(similarity.options,
            Json::parse(R"({"input": "a", "reference": "b", "evaluation_metric": "rouge_l"})"));
  const auto python = translate_grader(
      Json::parse(R"({"type": "python", "source": "def grade(s, i): return 1", "image_tag": "2025-05-08"})"));
  EXPECT_EQ(python.plugin, "grader.py");
  EXPECT_EQ(python.sources.at("grader.py"), "def grade(s, i): return 1");
  const auto multi = translate_grader(Json::parse(
      R"({"type": "multi", "calculate_output": "a + b", "graders": {
            "a": {"type": "python", "name": "a", "source": "A"},
            "b": {"type": "string_check", "input": "x", "reference": "y", "operation": "eq"}}})"));
  EXPECT_EQ(multi.plugin, "multi");
  EXPECT_EQ(multi.options["graders"]["a"]["plugin"], "a.py");
  EXPECT_EQ(multi.options["graders"]["b"]["options"]["operation"], "eq");
  EXPECT_EQ(multi.options["calculate_output"], "a + b");
  EXPECT_EQ(multi.sources.at("a.py"), "A");
}

std::string error_of(const char* grader) {
  try {
    translate_grader(Json::parse(grader));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Grader, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(error_of("[]"), "a grader must be a JSON object");
  EXPECT_EQ(error_of("{}"), "a grader needs the key \"type\"");
  EXPECT_EQ(error_of(R"({"type": "string_chek"})"),
            "\"type\" is \"string_chek\", which is unknown; did you mean \"string_check\"?");
  EXPECT_EQ(error_of(R"({"type": "python"})"), "a python grader needs the key \"source\"");
  EXPECT_EQ(error_of(R"({"type": "python", "source": "x", "sorce": "y"})"),
            "a python grader has no key \"sorce\"; did you mean \"source\"?");
  EXPECT_EQ(error_of(R"({"type": "string_check", "input": "a", "reference": "b", "operation": "neq"})"),
            "\"operation\" is \"neq\"; it can be eq, ne, like or ilike");
  EXPECT_NE(
      error_of(
          R"({"type": "text_similarity", "input": "a", "reference": "b", "evaluation_metric": "cosine"})")
          .find("needs an embedding model"),
      std::string::npos);
  EXPECT_NE(
      error_of(R"({"type": "multi", "calculate_output": "a", "graders": {"type": "python", "source": "x"}})")
          .find("must be a map of named graders"),
      std::string::npos);
  EXPECT_EQ(error_of(R"({"type": "multi", "calculate_output": "a", "graders": {"a": {"type": "multi"}}})"),
            "graders.a: a multi cannot hold a multi");
}

constexpr const char* kScoreModel = R"({"type": "score_model", "name": "s", "model": "m", "range": [0, 5],
  "pass_threshold": 3, "sampling_params": {"temperature": 1, "top_p": null, "max_completions_tokens": 9},
  "input": [{"role": "system", "content": "Grade."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "{{item.a}}"},
                                                            {"type": "output_text", "text": "b"}]}]})";

TEST(Grader, AsksAModelThroughTheJudge) {
  const auto alone =
      translate_grader(Json::parse(kScoreModel), {{{"url", "http://x/v1"}, {"retries", 1}}, {"key"}});
  EXPECT_EQ(alone.plugin, "judge");
  EXPECT_EQ(alone.num_judges, 1u);
  EXPECT_EQ(alone.options, Json::parse(R"({"model": "m",
    "messages": [{"role": "system", "content": "Grade."}, {"role": "user", "content": "{{item.a}}\nb"}],
    "range": [0, 5], "sampling_params": {"temperature": 1, "max_completion_tokens": 9}, "url": "http://x/v1", "retries": 1})"));
  const auto multi =
      translate_grader(Json::parse(R"({"type": "multi", "calculate_output": "a + b", "graders": {
        "a": {"type": "string_check", "input": "x", "reference": "y", "operation": "eq"},
        "b": {"type": "label_model", "model": "m", "input": [{"role": "user", "content": "c"}], "labels": ["x", "y"],
              "passing_labels": ["x"]}}})"),
                       {Json::object(), {"key"}});
  EXPECT_FALSE(multi.options["graders"]["a"].contains("network"));
  EXPECT_EQ(multi.options["graders"]["b"], Json::parse(R"({"plugin": "judge", "options": {"model": "m",
    "messages": [{"role": "user", "content": "c"}], "labels": ["x", "y"], "passing_labels": ["x"]},
    "network": true, "secrets": ["key"]})"));
}

TEST(Grader, RefusesWhatAJudgeCannotBeAsked) {
  const auto refused = [](const char* pointer, const Json& value, const JudgeAccess& access = {}) {
    Json grader = Json::parse(kScoreModel);
    grader[Json::json_pointer(pointer)] = value;
    try {
      translate_grader(grader, access);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_TRUE(refused("/input/1/content/0", {{"type", "input_image"}, {"image_url", "x"}})
                  .starts_with("\"input\" has a content that is no text: {\"type\":\"input_image\""));
  EXPECT_EQ(refused("/input/0/name", "n"),
            "a message of \"input\" has the key \"name\", which a judge cannot be given");
  EXPECT_EQ(refused("/sampling_params/temprature", 1),
            "\"sampling_params\" has no key \"temprature\"; did you mean \"temperature\"?");
  EXPECT_EQ(refused("/input", "x"), "\"input\" must be a list of messages");
  EXPECT_EQ(refused("/model", "m", {{{"model", "n"}}, {}}),
            "[scorer] options: \"model\" is the grader's to say; leave it out there");
  const Json check =
      Json::parse(R"({"type": "string_check", "input": "x", "reference": "y", "operation": "eq"})");
  EXPECT_THROW(translate_grader(check, {{{"url", "x"}}, {}}), Error);
}

}  // namespace
}  // namespace rft::plugins
