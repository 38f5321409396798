#include "cli/job_text.h"

#include <gtest/gtest.h>

namespace rft::cli {
namespace {

const Json kFailedJob = {{"id", 7},
                         {"name", "fraud"},
                         {"state", "failed"},
                         {"reason", "the scorer died; its last words:\nTraceback\n  KeyError"},
                         {"started_at", "2026-01-31T09:00:00Z"},
                         {"finished_at", "2026-01-31T09:00:22Z"}};

TEST(JobText, AReasonsFurtherLinesAreOnesOfTheirOwnWhereThereIsRoom) {
  EXPECT_EQ(headline({}, kFailedJob), "job 7 fraud: failed, the scorer died; its last words:");
  EXPECT_EQ(whole_headline({}, kFailedJob),
            "job 7 fraud: failed, the scorer died; its last words:\n    Traceback\n      KeyError");
  EXPECT_EQ(
      outcome_line({}, kFailedJob),
      "job 7 fraud: failed, after 22s, the scorer died; its last words:\n    Traceback\n      KeyError");
}

TEST(JobText, ASucceededJobsOutcomeSaysHowToTakeTheModel) {
  const Json job = {{"id", 7}, {"name", "fraud"}, {"state", "succeeded"}, {"attempt", 2}};
  EXPECT_EQ(headline({}, job), "job 7 fraud: succeeded (attempt 2)");
  EXPECT_EQ(outcome_line({}, job),
            "job 7 fraud: succeeded (attempt 2); take the model with: rftctl export 7 DIR");
}

}  // namespace
}  // namespace rft::cli
