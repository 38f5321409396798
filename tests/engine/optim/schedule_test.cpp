#include "engine/optim/schedule.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rft::engine {
namespace {

TEST(Schedule, WarmupRisesLinearlyAndNeverStartsAtZero) {
  const Schedule schedule{ScheduleKind::constant, 10, 3, 0};
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 0), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 2), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 3), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 9), 1);
}

TEST(Schedule, LinearEndsAtItsMinimumInTheLastStepAndStaysThere) {
  const Schedule schedule{ScheduleKind::linear, 11, 0, 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 0), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 5), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 99), 0.1);
}

TEST(Schedule, CosineIsHalfwayInTheMiddle) {
  const Schedule schedule{ScheduleKind::cosine, 13, 2, 0.2};
  EXPECT_DOUBLE_EQ(learning_rate_factor(schedule, 2), 1);
  EXPECT_NEAR(learning_rate_factor(schedule, 7), 0.6, 1e-12);
  EXPECT_NEAR(learning_rate_factor(schedule, 12), 0.2, 1e-12);
}

TEST(Schedule, OneStepRunsAtTheFullRate) {
  EXPECT_DOUBLE_EQ(learning_rate_factor({ScheduleKind::cosine, 1, 0, 0}, 0), 1);
}

TEST(Schedule, UnknownNameIsRefused) { EXPECT_THROW(schedule_kind_from_string("step"), Error); }

}  // namespace
}  // namespace rft::engine
