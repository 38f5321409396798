#include "jobs/attempt_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace rft::jobs {
namespace {

using ::testing::HasSubstr;
using Kind = AttemptEnd::Kind;

// A worker that SIGKILL ended, holding `held` bytes where 3 GB were estimated.
AttemptEvidence killed(int64_t held) {
  AttemptEvidence evidence;
  evidence.exit.signal = SIGKILL;
  evidence.exit.peak_memory = held;
  evidence.estimate.emplace();
  evidence.estimate->terms = {{"weights", 1'000'000'000, {memory::Stage::update}, "take a smaller model"},
                              {"activations", 2'000'000'000, {memory::Stage::update}, "shorten the prompts"}};
  evidence.kills_before = evidence.kills_after = {.of_cgroup = 4, .of_machine = 9};
  return evidence;
}

TEST(AttemptEnd, SigkillIsNoLackOfMemoryWhereTheKernelKilledNobody) {
  const AttemptEnd end = judge(killed(2'000'000'000));
  EXPECT_EQ(end.kind, Kind::transient);
  EXPECT_EQ(end.code, ErrorCode::internal);
  EXPECT_THAT(end.reason, HasSubstr("was killed by signal 9"));
}

TEST(AttemptEnd, AWorkerWithinItsEstimateIsTriedAgain) {
  AttemptEvidence evidence = killed(2'500'000'000);
  evidence.kills_after.of_cgroup = 5;
  const AttemptEnd end = judge(evidence);
  EXPECT_EQ(end.kind, Kind::transient);
  EXPECT_EQ(end.code, ErrorCode::resource);
  EXPECT_THAT(end.reason,
              HasSubstr("was killed for lack of memory; it held 2.5 GB at most, and estimated were 3.0 GB in "
                        "the update: activations 2.0 GB, weights 1.0 GB"));
}

TEST(AttemptEnd, AWorkerBeyondItsEstimateWouldBeSoAgain) {
  AttemptEvidence evidence = killed(3'500'000'000);
  evidence.kills_after.of_cgroup = 5;
  const AttemptEnd end = judge(evidence);
  EXPECT_EQ(end.kind, Kind::failed);
  EXPECT_THAT(end.reason, HasSubstr("shorten the prompts (activations 2.0 GB)"));
}

TEST(AttemptEnd, AKillElsewhereOnTheMachineIsALikelyCause) {
  AttemptEvidence evidence = killed(2'500'000'000);
  evidence.kills_after.of_machine = 10;
  EXPECT_THAT(judge(evidence).reason, HasSubstr("likely for lack of memory: the kernel killed for that"));
  evidence.kills_before = evidence.kills_after = {};
  EXPECT_THAT(judge(evidence).reason, HasSubstr("likely for lack of memory: the kernel does not say"));
}

}  // namespace
}  // namespace rft::jobs
