#include "protocol/event.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rft::protocol {
namespace {

using Verdict = GapDetector::Verdict;

Event event(const std::string& topic, uint64_t seq, const std::string& boot = "b1") {
  return {topic, boot, seq, 0, Json::object()};
}

Json snapshot(const std::string& boot, const Json& sequences) {
  return {{"boot", boot}, {"sequences", sequences}};
}

TEST(Event, SurvivesEncodingAndDecoding) {
  const Event received = decode_event(encode({"job.17.status", "b1", 3, 12.5, {{"state", "running"}}}));
  EXPECT_EQ(received.topic, "job.17.status");
  EXPECT_EQ(received.boot, "b1");
  EXPECT_EQ(received.seq, 3u);
  EXPECT_EQ(received.time, 12.5);
  EXPECT_EQ(received.data["state"], "running");
}

TEST(Event, OtherBytesAreRefused) {
  EXPECT_THROW(decode_event("{}"), Error);
  EXPECT_THROW(decode_event(R"({"v":9,"topic":"t","boot":"b","seq":1,"time":0,"data":{}})"), Error);
}

TEST(GapDetector, BeforeAnySnapshotEverythingIsAGap) {
  GapDetector gaps;
  EXPECT_EQ(gaps.offer(event("job.1.status", 1)), Verdict::gap);
}

TEST(GapDetector, TakesEachNumberOnceAndInOrder) {
  GapDetector gaps;
  gaps.covered_by(snapshot("b1", {{"job.1.status", 4}}));
  EXPECT_EQ(gaps.offer(event("job.1.status", 4)), Verdict::covered);
  EXPECT_EQ(gaps.offer(event("job.1.status", 5)), Verdict::next);
  EXPECT_EQ(gaps.offer(event("job.1.status", 5)), Verdict::covered);
  EXPECT_EQ(gaps.offer(event("job.1.metrics", 1)), Verdict::next);  // topics count apart
  EXPECT_EQ(gaps.offer(event("job.1.status", 7)), Verdict::gap);
  gaps.covered_by(snapshot("b1", {{"job.1.status", 7}, {"job.1.metrics", 1}}));
  EXPECT_EQ(gaps.offer(event("job.1.status", 7)), Verdict::covered);
  EXPECT_EQ(gaps.offer(event("job.1.status", 8)), Verdict::next);
}

TEST(GapDetector, AnotherBootIsAGapWhateverTheNumber) {
  GapDetector gaps;
  gaps.covered_by(snapshot("b1", {{"job.1.status", 4}}));
  EXPECT_EQ(gaps.offer(event("job.1.status", 5, "b2")), Verdict::gap);
}

TEST(GapDetector, WhatIsNoSnapshotIsRefused) {
  GapDetector gaps;
  EXPECT_THROW(gaps.covered_by(Json::object()), Error);
  EXPECT_THROW(gaps.covered_by({{"boot", "b1"}, {"sequences", "none"}}), Error);
}

}  // namespace
}  // namespace rft::protocol
