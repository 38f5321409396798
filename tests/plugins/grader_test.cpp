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
  const std::string judge = error_of(
      R"({"type": "multi", "calculate_output": "a", "graders": {"a": {"type": "score_model", "model": "m", "input": []}}})");
  EXPECT_TRUE(judge.starts_with("graders.a: \"type\" \"score_model\" asks a judge model")) << judge;
}

}  // namespace
}  // namespace rft::plugins
