#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

const Json kPerson = {{"type", "object"},
                      {"properties",
                       {{"name", {{"type", "string"}, {"pattern", "^[a-z]+$"}}},
                        {"age", {{"type", "integer"}, {"minimum", 0}}},
                        {"born", {{"type", "string"}, {"format", "date"}}}}},
                      {"required", {"name", "age"}},
                      {"additionalProperties", false}};

std::vector<ScoreRequest> documents(const std::vector<std::string>& texts) {
  std::vector<ScoreRequest> requests;
  for (const auto& text : texts) requests.push_back(request(text, ""));
  return requests;
}

std::vector<double> schema_scores(const Json& options, const std::vector<ScoreRequest>& requests) {
  return ShippedScorer("json_schema", options).scores(requests);
}

TEST(JsonSchema, ScoresValidity) {
  const auto requests =
      documents({R"({"name":"bob","age":3})", R"( {"age":3,"name":"bob","born":"2024-02-29"} )",
                 R"({"name":"Bob","age":3})", R"({"name":"bob"})", R"({"name":"bob","age":3,"x":1})",
                 R"({"name":"bob","age":3,"born":"2024-02-30"})", R"({"name":"bob","age":3,"born":5})", "[]",
                 "", "{\"name\":\"bob\",\"age\":3} trailing"});
  EXPECT_EQ(schema_scores({{"schema", kPerson}}, requests),
            (std::vector<double>{1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(schema_scores({{"schema", kPerson.dump()}}, requests)[0], 1);
  const auto results = ShippedScorer("json_schema", {{"schema", kPerson}})->score(requests);
  EXPECT_TRUE(results[0].valid);
  EXPECT_FALSE(results[2].valid);
  EXPECT_EQ(results[2].reason, "[name]: The text does not match its pattern.");
  EXPECT_EQ(results[8].reason, "no JSON");
}

TEST(JsonSchema, GivesCreditPerFieldOfTheSchema) {
  const auto scores = schema_scores(
      {{"schema", kPerson}, {"score", "fields"}},
      documents({R"({"name":"bob","age":3})", R"({"name":"Bob","age":3})", R"({"name":"bob"})",
                 R"({"name":"bob","age":3,"x":1})", "{}", "[]", R"({"name":"bob","age":3,"born":"soon"})"}));
  const std::vector<double> expected = {1, 1.0 / 2, 1.0 / 2, 2.0 / 3, 0, 0, 2.0 / 3};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_DOUBLE_EQ(scores[i], expected[i]) << i;
  const Json two_or_more = {{"minProperties", 2}, {"properties", {{"a", {{"type", "integer"}}}}}};
  EXPECT_EQ(schema_scores({{"schema", two_or_more}, {"score", "fields"}}, documents({R"({"a":1})"})),
            (std::vector<double>{0.5}));
}

TEST(JsonSchema, GivesCreditPerFieldOfTheExpectedObject) {
  const Json expected = {{"a", {{"b", 1}, {"c", {1, 2}}}}, {"d", nullptr}, {"e", {}}};
  const auto with = [&](const std::string& completion) {
    return request_of(completion, {{"want", expected}, {"text", expected.dump()}});
  };
  const std::vector<ScoreRequest> requests = {with(R"({"d":null,"a":{"c":[1,2],"b":1.0},"e":null})"),
                                              with(R"({"d":null,"a":{"c":[2,1],"b":1},"e":null})"),
                                              with(R"({"a":{"b":1}})"),
                                              with(R"({"a":5,"x":1,"y":2})"),
                                              with("1"),
                                              with("?")};
  for (const char* key : {"want", "text"})
    EXPECT_EQ(
        schema_scores({{"schema", {{"type", "object"}}}, {"score", "fields"}, {"target", key}}, requests),
        (std::vector<double>{1, 3.0 / 4, 1.0 / 4, 0, 0, 0}));
}

TEST(JsonSchema, TakesTheFirstFencedBlock) {
  const auto requests =
      documents({"So:\n```json\n{\"a\":1}\n```\nor ```\n[]\n```", R"({"a":1})", "```\n{\"a\":1}", "```"});
  EXPECT_EQ(schema_scores({{"schema", {{"type", "object"}}}, {"fenced", true}}, requests),
            (std::vector<double>{1, 1, 1, 0}));
  EXPECT_EQ(schema_scores({{"schema", {{"type", "object"}}}}, requests), (std::vector<double>{0, 1, 0, 0}));
}

TEST(JsonSchema, ReadsASchemaFromEachRecord) {
  EXPECT_EQ(schema_scores({{"schema_key", "s"}}, {request_of("1", {{"s", {{"type", "integer"}}}}),
                                                  request_of("1", {{"s", "{\"type\":\"string\"}"}})}),
            (std::vector<double>{1, 0}));
  expect_plugin_error(PluginFailure::threw, {"no \"s\"", "`schema_key`"}, [] {
    schema_scores({{"schema_key", "s"}}, documents({"1"}));
  });
}

TEST(JsonSchema, AppliesPatternsToNames) {
  const Json schema = {{"patternProperties", {{"^a", {{"type", "integer"}}}}},
                       {"propertyNames", {{"pattern", "^[a-z]+$"}}},
                       {"additionalProperties", false}};
  EXPECT_EQ(schema_scores({{"schema", schema}},
                          documents({R"({"ab":1})", R"({"ab":"x"})", R"({"b":1})", R"({"aB":1})"})),
            (std::vector<double>{1, 0, 0, 0}));
}

TEST(JsonSchema, NamesTheOptionThatIsWrong) {
  const auto refused = [](const Json& options, const char* why) {
    expect_options_refused("json_schema", options, {why});
  };
  refused(Json::object(), "either `schema` or `schema_key` is needed");
  refused({{"schema", 1}}, "\"schema\" must be a JSON schema");
  refused({{"schema", "{"}}, "\"schema\" is no JSON");
  refused({{"schema", {{"type", 5}}}}, "the schema is refused");
  refused({{"schema", {{"pattern", "(?=a)"}}}}, "the pattern \"(?=a)\" is refused");
  refused({{"schema", {{"patternProperties", {{"(", {{"type", "null"}}}}}}}}, "the pattern \"(\" is refused");
  refused({{"schema", {{"$ref", "#"}}}}, "\"#\" refers to itself");
  refused({{"schema", {{"anyOf", {{{"$ref", "#"}}}}}}}, "\"#\" refers to itself");
  refused({{"schema", {{"$ref", "https://a.example/b"}}}}, "which is not within it");
  refused({{"schema", {{"$ref", "#/definitions/a"}}}}, "the schema has no \"#/definitions/a\"");
  refused({{"schema", kPerson}, {"target", "x"}}, "needs \"score\" = \"fields\"");
  refused({{"schema", kPerson}, {"score", "half"}}, "\"score\" is \"half\"");
  refused({{"schema", kPerson}, {"fenced", "yes"}}, "\"fenced\" must be true or false");
  refused({{"schema", kPerson}, {"strict", true}}, "unknown option \"strict\"");
}

// What makes a recursive parser, validator or matcher overflow its stack, or a
// backtracking one run on.
TEST(JsonSchema, NeitherHangsNorOverflowsItsStack) {
  const auto text = [](size_t size, char c) { return "\"" + std::string(size, c) + "!\""; };
  const auto nested = [](int depth) {
    std::string document = "1";
    for (int i = 0; i < depth; ++i) document = "{\"a\":" + document + "}";
    return document;
  };
  const Json tree = {{"properties", {{"a", {{"$ref", "#"}}}}}};
  EXPECT_EQ(
      schema_scores({{"schema", tree}}, documents({nested(90), nested(1000), std::string(1'000'000, '[')})),
      (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(schema_scores({{"schema", {{"pattern", "^(a|aa)+$"}}}}, documents({text(1'000'000, 'a')})),
            (std::vector<double>{0}));
  EXPECT_EQ(schema_scores({{"schema", {{"format", "date"}}}}, documents({text(1'000'000, '1')})),
            (std::vector<double>{0}));
}

}  // namespace
}  // namespace rft::plugins
