// The scorers that come with the daemon, through a host as a job runs them.
#include "plugins/scorer_host.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

ScoreRequest request(const std::string& completion, const std::string& output,
                     const std::string& finish = "eos") {
  return {.completion = completion, .record_json = dump_json({{"output", output}}), .finish_reason = finish};
}

class ShippedScorer {
 public:
  ShippedScorer(const std::string& name, const Json& options)
      : scorer_([&] {
          ScorerOptions all = options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / (name + ".so"), folder_);
          all.options = options;
          return all;
        }()) {}
  ScorerHost* operator->() { return &scorer_; }
  std::vector<double> scores(const std::vector<ScoreRequest>& requests) {
    std::vector<double> scores;
    for (const auto& result : scorer_.score(requests)) scores.push_back(result.score.value());
    return scores;
  }

 private:
  TemporaryFolder folder_;
  ScorerHost scorer_;
};

TEST(ExactMatch, ComparesAsItsOptionsSay) {
  const std::vector<ScoreRequest> requests = {request("b", "b"), request(" b\n", "b"), request("B", "b"),
                                              request("c", "b")};
  EXPECT_EQ(ShippedScorer("exact_match", Json::object()).scores(requests), (std::vector<double>{1, 1, 0, 0}));
  EXPECT_EQ(ShippedScorer("exact_match", {{"strip", false}}).scores(requests),
            (std::vector<double>{1, 0, 0, 0}));
  EXPECT_EQ(ShippedScorer("exact_match", {{"ignore_case", true}}).scores(requests),
            (std::vector<double>{1, 1, 1, 0}));
  EXPECT_EQ(ShippedScorer("exact_match", Json::object())->score(requests)[3].reason, "expected \"b\"");
}

TEST(ExactMatch, NamesAMissingKeyAndAnUnknownOption) {
  expect_plugin_error(PluginFailure::threw, {"no \"answer\""}, [] {
    ShippedScorer("exact_match", {{"target", "answer"}}).scores({request("a", "a")});
  });
  expect_plugin_error(PluginFailure::threw, {"unknown option \"stripp\"", "strip"}, [] {
    ShippedScorer("exact_match", {{"stripp", true}});
  });
  expect_plugin_error(PluginFailure::threw, {"\"strip\" must be true or false"}, [] {
    ShippedScorer("exact_match", {{"strip", 1}});
  });
}

const Json kLabels = {
    {"labels", {"a", "b", "c"}}, {"positive", "a"}, {"partial_credit", 0.1}, {"require_eos", true}};

TEST(Classification, ScoresTrueOtherAndNoLabel) {
  ShippedScorer scorer("classification", kLabels);
  const std::vector<ScoreRequest> requests = {request("a", "a"), request("b", "a"), request("z", "a"),
                                              request("a", "a", "length")};
  EXPECT_EQ(scorer.scores(requests), (std::vector<double>{1, 0.1, 0, 0}));
  const auto results = scorer->score(requests);
  EXPECT_TRUE(results[1].valid);
  EXPECT_FALSE(results[2].valid);
  EXPECT_FALSE(results[3].valid);
}

// Values from sklearn.metrics.precision_recall_fscore_support on the same six pairs, "z" being no label.
TEST(Classification, SummarisesAsScikitLearnDoes) {
  ShippedScorer scorer("classification", kLabels);
  const std::vector<ScoreRequest> requests = {request("a", "a"), request("a", "a"), request("b", "a"),
                                              request("b", "b"), request("a", "b"), request("z", "b")};
  const auto numbers = *scorer->summarize(requests, scorer->score(requests));
  EXPECT_DOUBLE_EQ(numbers.at("accuracy"), 3.0 / 6);
  EXPECT_DOUBLE_EQ(numbers.at("valid_rate"), 5.0 / 6);
  EXPECT_DOUBLE_EQ(numbers.at("precision/a"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(numbers.at("recall/a"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(numbers.at("f1/a"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(numbers.at("f1"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(numbers.at("precision/b"), 1.0 / 2);
  EXPECT_DOUBLE_EQ(numbers.at("recall/b"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(numbers.at("f1/b"), 0.4);
  EXPECT_DOUBLE_EQ(numbers.at("f1_macro"), (2.0 / 3 + 0.4) / 2);
  EXPECT_DOUBLE_EQ(numbers.at("precision_micro"), 3.0 / 5);
  EXPECT_DOUBLE_EQ(numbers.at("recall_micro"), 3.0 / 6);
  EXPECT_DOUBLE_EQ(numbers.at("support/a"), 3);
  EXPECT_FALSE(numbers.contains("f1/c"));
}

TEST(Classification, RefusesOptionsThatContradictEachOther) {
  const auto refused = [](const Json& options, const char* why) {
    expect_plugin_error(PluginFailure::threw, {why}, [&] { ShippedScorer("classification", options); });
  };
  refused({{"partial_credit", 0.1}}, "needs \"labels\"");
  refused({{"partial_credit", 1}, {"labels", {"a"}}}, "below 1");
  refused({{"positive", "z"}, {"labels", {"a"}}}, "not one of");
  refused({{"labels", {1}}}, "a list of strings");
  expect_plugin_error(PluginFailure::threw, {"which is not in \"labels\""},
                      [] { ShippedScorer("classification", kLabels).scores({request("a", "other")}); });
}

}  // namespace
}  // namespace rft::plugins
