#include "plugins/shipped_scorer.h"
#include "scorers/text_similarity/porter.h"

namespace rft::plugins {
namespace {

using namespace testing;

const Json& similarity_vectors() {
  static const Json vectors =
      parse_json(read_file(fs::path(RFT_TEST_DATA_DIR) / "text_similarity_vectors.json"), "the vectors");
  return vectors;
}

// What rapidfuzz, sacrebleu, nltk and rouge-score say of the same texts.
class TextSimilarity : public ::testing::TestWithParam<const char*> {};
TEST_P(TextSimilarity, AgreesWithThePublishedImplementation) {
  std::vector<ScoreRequest> requests;
  for (const auto& pair : similarity_vectors()["pairs"])
    requests.push_back(request(pair["text"], pair["reference"]));
  const auto scores = ShippedScorer("text_similarity", {{"evaluation_metric", GetParam()}}).scores(requests);
  for (size_t i = 0; i < scores.size(); ++i)
    EXPECT_NEAR(scores[i], similarity_vectors()["pairs"][i][GetParam()].get<double>(), 1e-12)
        << requests[i].completion << " | " << requests[i].record_json;
}
INSTANTIATE_TEST_SUITE_P(EachMetric, TextSimilarity,
                         ::testing::Values("fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2",
                                           "rouge_3", "rouge_4", "rouge_5", "rouge_l"),
                         [](const auto& info) { return std::string(info.param); });

TEST(PorterStem, AgreesWithNltk) {
  // The vectors' words as code points; all of them are in the basic plane.
  const auto points = [](const std::string& utf8) {
    std::u32string result;
    for (const unsigned char c : utf8) {
      if (c < 0x80 || c >= 0xC0)
        result += c < 0x80 ? c : c & 0x1F;
      else
        result.back() = result.back() << 6 | (c & 0x3F);
    }
    return result;
  };
  for (const auto& [word, stem] : similarity_vectors()["stems"].items())
    EXPECT_TRUE(porter_stem(points(word)) == points(stem)) << word << " is not " << stem;
}

TEST(TextSimilarityOptions, AreCheckedAndApplied) {
  EXPECT_EQ(ShippedScorer("text_similarity", {{"evaluation_metric", "fuzzy_match"}, {"ignore_case", true}})
                .scores({request("ÄB", "äb")}),
            (std::vector<double>{1}));
  EXPECT_EQ(ShippedScorer("text_similarity", {{"evaluation_metric", "rouge_1"}, {"target", "a"}})
                .scores({request_of("x", {{"a", "x"}})}),
            (std::vector<double>{1}));
  expect_options_refused("text_similarity", Json::object(), {"`evaluation_metric` is needed"});
  expect_options_refused("text_similarity", {{"evaluation_metric", "cosine"}}, {"\"cosine\"", "\"rouge_l\""});
  expect_options_refused("text_similarity", {{"evaluation_metric", 1}},
                         {"\"evaluation_metric\" must be a string"});
  expect_options_refused("text_similarity", {{"metric", "bleu"}}, {"unknown option \"metric\""});
}

// Tens of thousands of words do not come near a job's deadline.
TEST(TextSimilarityOptions, LongTextsAreScoredInTime) {
  std::string text, other;
  for (int i = 0; i < 20'000; ++i) {
    text += std::to_string(i % 977) + " ";
    other += std::to_string(i % 983) + " ";
  }
  for (const char* metric : {"fuzzy_match", "meteor", "rouge_l"}) {
    const double score =
        ShippedScorer("text_similarity", {{"evaluation_metric", metric}}).scores({request(text, other)})[0];
    EXPECT_GT(score, 0.1) << metric;
    EXPECT_LT(score, 1) << metric;
  }
}

}  // namespace
}  // namespace rft::plugins
