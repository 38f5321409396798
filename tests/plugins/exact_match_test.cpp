#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace rft::plugins
