#include "jobs/job.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rft::jobs {
namespace {

constexpr State kAll[] = {State::settling,  State::checking, State::queued,    State::running,
                          State::paused,    State::retrying, State::succeeded, State::failed,
                          State::cancelled, State::rejected};

TEST(JobState, HasANameThatReadsBack) {
  for (const State state : kAll) EXPECT_EQ(state_from_string(to_string(state)), state);
  EXPECT_FALSE(state_from_string("sleeping"));
}

TEST(JobState, GoesTheDesignedWay) {
  EXPECT_TRUE(can_follow(State::settling, State::checking));
  EXPECT_TRUE(can_follow(State::checking, State::queued));
  EXPECT_TRUE(can_follow(State::queued, State::running));
  EXPECT_TRUE(can_follow(State::running, State::paused));
  EXPECT_TRUE(can_follow(State::paused, State::queued));
  EXPECT_TRUE(can_follow(State::running, State::retrying));
  EXPECT_TRUE(can_follow(State::retrying, State::queued));
  for (const State end : {State::succeeded, State::failed, State::cancelled})
    EXPECT_TRUE(can_follow(State::running, end));
}

TEST(JobState, NeverRunsWithoutTheQueueNorLeavesSuccess) {
  for (const State from : kAll) {
    EXPECT_EQ(can_follow(from, State::running), from == State::queued) << to_string(from);
    EXPECT_FALSE(can_follow(State::succeeded, from)) << to_string(from);
    EXPECT_FALSE(can_follow(State::rejected, from)) << to_string(from);
  }
}

TEST(JobStatus, ReadsBackWhatItWrote) {
  const SystemTime then(std::chrono::milliseconds(1767225600125));
  for (const Status& status :
       {Status(Checking{"looked at", true}), Status(Queued{"waits"}), Status(Running{Request::pause}),
        Status(Paused{"held"}), Status(Retrying{"crashed", then}), Status(Succeeded{{{"model", "model"}}}),
        Status(Failed{"why", "internal"}), Status(Failed{"why", "plugin", "crashed"}),
        Status(Cancelled{"by its owner"}), Status(Rejected{"why", "/r/x"})}) {
    const Status back = status_from_json(to_json(status));
    EXPECT_EQ(to_json(back), to_json(status));
    EXPECT_EQ(state_of(back), state_of(status));
    EXPECT_EQ(reason_of(back).empty(),
              state_of(status) == State::running || state_of(status) == State::succeeded);
  }
  EXPECT_EQ(std::get<Retrying>(status_from_json(to_json(Retrying{"x", then}))).not_before, then);
}

TEST(JobStatus, RefusesWhatItCannotRead) {
  EXPECT_THROW(status_from_json({{"state", "sleeping"}}), Error);
  EXPECT_THROW(status_from_json({{"state", "failed"}}), Error);
  EXPECT_THROW(status_from_json(Json::array()), Error);
}

TEST(Job, NamesItsFolderAfterTheDroppedOne) {
  Job job;
  job.id = 17;
  job.source = "/home/incoming/fraud triage/ä";
  EXPECT_EQ(job.folder_name(), "17---");
  job.source = "/home/incoming/fraud-triage";
  EXPECT_EQ(job.folder_name(), "17-fraud-triage");
  EXPECT_EQ(safe_name(".."), "-.");
  EXPECT_EQ(safe_name(std::string(100, 'a')).size(), 64U);
}

TEST(Job, WritesTimesInUtc) {
  EXPECT_EQ(time_text(SystemTime(std::chrono::seconds(1767225600))), "2026-01-01T00:00:00Z");
  EXPECT_EQ(time_text(SystemTime{}), "");
}

}  // namespace
}  // namespace rft::jobs
