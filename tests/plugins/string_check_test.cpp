#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

Json string_check(const std::string& operation, const std::string& input, const std::string& reference) {
  return {{"operation", operation}, {"input", input}, {"reference", reference}};
}

TEST(StringCheck, ComparesFilledTemplatesByItsOperation) {
  const std::vector<ScoreRequest> requests = {
      {.completion = "Grüße", .record_json = R"({"a": ["x", {"b": "GRÜSSE"}], "n": 1.5, "t": "Grüße",
                                                "a key": {"b.c": "it's"}})"}};
  const auto score = [&](const Json& options) {
    return ShippedScorer("string_check", options).scores(requests)[0];
  };
  const std::string text = "{{sample.output_text}}";
  EXPECT_EQ(score(string_check("eq", text, "{{ item.t }}")), 1);
  EXPECT_EQ(score(string_check("eq", "<" + text + ">", "<{{item.t}}>")), 1);
  EXPECT_EQ(score(string_check("ne", text, "{{item.t}}")), 0);
  EXPECT_EQ(score(string_check("eq", text, "{{item.a[1].b}}")), 0);
  EXPECT_EQ(score(string_check("ne", text, "{{item.a[0]}}")), 1);
  EXPECT_EQ(score(string_check("like", "the " + text, "{{item.t}}")), 1);
  EXPECT_EQ(score(string_check("like", text, "grü")), 0);
  EXPECT_EQ(score(string_check("ilike", "the " + text, "{{item.a[1].b}}")), 1);
  EXPECT_EQ(score(string_check("eq", "{{item.n}} {{item.a}}", R"(1.5 ["x",{"b":"GRÜSSE"}])")), 1);
  for (const char* reference : {R"({{item["a key"]["b.c"]}})", "{{ item.a key[ 'b.c' ] }}"})
    EXPECT_EQ(score(string_check("eq", "it's", reference)), 1) << reference;
  EXPECT_EQ(score(string_check("eq", "{{sample.choices[0].message.content}}", "{{item.t}}")), 1);
}

TEST(StringCheck, ACompletionThatDoesNotFitScoresNothingAndIsInvalid) {
  ShippedScorer scorer("string_check", string_check("eq", "{{sample.output_json.y.z}}", "{{item.output}}"));
  const std::vector<ScoreRequest> requests = {request(R"({"y": {"z": "b"}})", "b"), request("{", "b"),
                                              request(R"({"y": 1})", "b")};
  const auto results = scorer->score(requests);
  EXPECT_EQ(results[0].score, 1);
  EXPECT_TRUE(results[0].valid);
  EXPECT_EQ(results[1].score, 0);
  EXPECT_FALSE(results[1].valid);
  EXPECT_EQ(results[1].reason, "the completion is no JSON, and {{sample.output_json.y}} is wanted");
  EXPECT_EQ(results[2].reason, "the completion has no {{sample.output_json.y.z}}");
}

TEST(StringCheck, NamesAReferenceThatLeadsNowhere) {
  const auto refused = [](const std::string& reference, const char* why) {
    expect_plugin_error(PluginFailure::threw, {why},
                        [&] { ShippedScorer("string_check", string_check("eq", "a", reference)); });
  };
  refused("{{itm.a}}", "begins with neither item nor sample");
  refused("{{item}}", "names no key");
  refused("{{sample.output}}", "a sample has output_text");
  refused("{{item.a", "without its \"}}\"");
  const std::vector<ScoreRequest> requests = {request("a", "a")};
  EXPECT_EQ(ShippedScorer("string_check", string_check("eq", "a", "{{item.b}}"))->score(requests)[0].error,
            "the record has no {{item.b}}");
}

TEST(TextSimilarityOptions, CanBeTemplates) {
  ShippedScorer scorer("text_similarity", {{"evaluation_metric", "fuzzy_match"},
                                           {"input", "{{sample.output_json.y}}"},
                                           {"reference", "{{item.output}}"}});
  const std::vector<ScoreRequest> requests = {request(R"({"y": "abcd"})", "abcf"), request("?", "a")};
  const auto results = scorer->score(requests);
  EXPECT_EQ(results[0].score, 0.75);
  EXPECT_FALSE(results[1].valid);
}

}  // namespace
}  // namespace rft::plugins
