#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

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
  EXPECT_DOUBLE_EQ(numbers.at("f1_weighted"), (2.0 / 3 + 0.4) / 2);
  EXPECT_DOUBLE_EQ(numbers.at("balanced_accuracy"), (2.0 / 3 + 1.0 / 3) / 2);
  EXPECT_FALSE(numbers.contains("f1/c"));
  EXPECT_FALSE(numbers.contains("cost_mean"));
}

// A missed "fraud" is five times as bad as a false alarm is harmless.
TEST(Classification, TakesCostsOffAndAveragesThem) {
  ShippedScorer scorer("classification", {{"labels", {"fraud", "fine"}},
                                          {"costs", {{"fraud", {{"fine", 5}}}, {"fine", {{"fraud", 0.5}}}}}});
  const std::vector<ScoreRequest> requests = {request("fraud", "fraud"), request("fine", "fraud"),
                                              request("fraud", "fine"), request("?", "fraud"),
                                              request("?", "fine")};
  EXPECT_EQ(scorer.scores(requests), (std::vector<double>{1, -4, 0.5, -4, 0}));
  EXPECT_DOUBLE_EQ(scorer->summarize(requests, scorer->score(requests))->at("cost_mean"),
                   (0 + 5 + 0.5 + 5 + 1) / 5);
}

// Balanced weights as sklearn.utils.class_weight.compute_class_weight("balanced") has them for 1 and 9.
TEST(Classification, WeighsRareClasses) {
  const std::vector<ScoreRequest> requests = {request("a", "a"), request("b", "b"), request("b", "a")};
  EXPECT_EQ(ShippedScorer("classification", {{"class_weights", {{"a", 3}}}}).scores(requests),
            (std::vector<double>{3, 1, 0}));
  EXPECT_EQ(ShippedScorer("classification", {{"class_counts", {{"a", 1}, {"b", 9}}}}).scores(requests),
            (std::vector<double>{10.0 / 2, 10.0 / 18, 0}));
}

TEST(Classification, RefusesOptionsThatContradictEachOther) {
  const auto refused = [](const Json& options, const char* why) {
    expect_plugin_error(PluginFailure::threw, {why}, [&] { ShippedScorer("classification", options); });
  };
  refused({{"partial_credit", 0.1}}, "needs \"labels\"");
  refused({{"partial_credit", 1}, {"labels", {"a"}}}, "below 1");
  refused({{"positive", "z"}, {"labels", {"a"}}}, "not one of");
  refused({{"costs", {{"a", {{"z", 1}}}}}, {"labels", {"a", "b"}}}, "\"z\" of costs is not one of");
  refused({{"costs", {{"a", 1}}}}, "\"a\" must be a table");
  refused({{"costs", {{"a", {{"b", 1}}}}}, {"partial_credit", 0.1}, {"labels", {"a", "b"}}},
          "exclude each other");
  refused({{"class_weights", {{"a", "1"}}}}, "\"a\" must be a number");
  refused({{"class_weights", {{"a", -1}}}}, "\"a\" of \"class_weights\" must be at least 0");
  refused({{"class_weights", {{"a", 1}}}, {"class_counts", {{"a", 1}}}}, "exclude each other");
  refused({{"class_counts", {{"a", 0}}}}, "must be above 0");
  refused({{"labels", {1}}}, "a list of strings");
  expect_plugin_error(PluginFailure::threw, {"which is not in \"labels\""},
                      [] { ShippedScorer("classification", kLabels).scores({request("a", "other")}); });
}

}  // namespace
}  // namespace rft::plugins
