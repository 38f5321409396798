#include "protocol/worker_stream.h"

#include <gtest/gtest.h>

namespace rft::protocol {
namespace {

TEST(WorkerStream, HelloSurvivesTheWire) {
  const WorkerHello hello = hello_from_json(to_json(WorkerHello{17, 2, "secret", 4711}));
  EXPECT_EQ(hello.job, 17);
  EXPECT_EQ(hello.attempt, 2);
  EXPECT_EQ(hello.token, "secret");
  EXPECT_EQ(hello.pid, 4711);
}

TEST(WorkerStream, FinishedCarriesWhyItFailed) {
  WorkerFinished sent{WorkerOutcome::failed, ErrorCode::plugin, "scorer crashed", true, {}};
  EXPECT_EQ(finished_from_json(to_json(sent)).failure, "");
  sent.failure = "crashed";
  const WorkerFinished read = finished_from_json(to_json(sent));
  EXPECT_EQ(read.outcome, WorkerOutcome::failed);
  EXPECT_EQ(read.error_code, ErrorCode::plugin);
  EXPECT_EQ(read.error_message, "scorer crashed");
  EXPECT_TRUE(read.transient);
  EXPECT_EQ(read.failure, "crashed");
}

TEST(WorkerStream, FinishedCarriesWhyItPaused) {
  const WorkerFinished read = finished_from_json(
      to_json(WorkerFinished{.outcome = WorkerOutcome::paused, .pause_reason = "completions grow"}));
  EXPECT_EQ(read.outcome, WorkerOutcome::paused);
  EXPECT_EQ(read.pause_reason, "completions grow");
}

TEST(WorkerStream, AScorersSwapSurvivesTheWire) {
  const ScorerSwap sent{3,
                        "strict.py",
                        {{"bonus", 2}},
                        {{"", {{"path", "/store/abc/plugin.py"}}}},
                        true,
                        "[scorer]\nnetwork = true\n"};
  const ScorerSwapOutcome read =
      scorer_swap_outcome_from_json(to_json(ScorerSwapOutcome{sent, true, 12, "none"}));
  EXPECT_EQ(to_json(read.swap), to_json(sent));
  EXPECT_EQ(read.swap.settings, sent.settings);
  Json older = to_json(sent);
  older.erase("settings");
  EXPECT_EQ(scorer_swap_from_json(older).settings, "");
  EXPECT_TRUE(read.taken);
  EXPECT_EQ(read.iteration, 12);
  EXPECT_EQ(read.reason, "none");
  EXPECT_THROW(scorer_swap_from_json({{"type", "swap_scorer"}, {"number", 1}}), Error);
}

TEST(WorkerStream, RefusesOtherTypesVersionsAndShapes) {
  Json hello = to_json(WorkerHello{});
  EXPECT_THROW(finished_from_json(hello), Error);
  hello["v"] = kWorkerStreamVersion + 1;
  EXPECT_THROW(hello_from_json(hello), Error);
  hello["v"] = "one";
  EXPECT_THROW(hello_from_json(hello), Error);
  EXPECT_THROW(hello_from_json(Json::array()), Error);
  EXPECT_THROW(finished_from_json({{"type", "finished"}, {"outcome", "vanished"}}), Error);
}

TEST(LineSplitter, JoinsWhatArrivesInPieces) {
  LineSplitter splitter;
  EXPECT_TRUE(splitter.feed("{\"a\"").empty());
  const auto lines = splitter.feed(":1}\n{}\n{\"b");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "{\"a\":1}");
  EXPECT_EQ(lines[1], "{}");
}

TEST(LineSplitter, RefusesALineWithoutEnd) {
  LineSplitter splitter;
  EXPECT_THROW(splitter.feed(std::string(kMaxWorkerLine + 1, 'x')), Error);
}

}  // namespace
}  // namespace rft::protocol
