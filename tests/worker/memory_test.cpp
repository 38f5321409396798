#include "worker/memory.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/machine_memory.h"
#include "engine/failed_allocation.h"
#include "support/temp_dir.h"

namespace rft::worker {
namespace {

using ::testing::HasSubstr;

memory::Estimate estimate_of(int64_t bytes) {
  return {{{"activations", bytes, {memory::Stage::update}, "shorten the prompts"}}};
}

TEST(FailedAllocation, TellsHowMuchLibTorchAskedFor) {
  constexpr int64_t kMuch = int64_t{1} << 50;
  try {
    at::empty({kMuch}, at::kByte);
    FAIL() << "a petabyte was there";
  } catch (const std::exception& error) {
    const auto failure = engine::failed_allocation(error);
    ASSERT_TRUE(failure) << error.what();
    EXPECT_EQ(failure->bytes, kMuch);
  }
  EXPECT_TRUE(engine::failed_allocation(std::bad_alloc()));
  EXPECT_FALSE(engine::failed_allocation(std::runtime_error("out of patience")));
}

TEST(OutOfMemory, BeyondTheEstimateIsNotWorthAnotherAttempt) {
  const TempDir job;
  memory::write_estimate(job.path(), estimate_of(peak_memory_bytes()));
  const auto end = out_of_memory({job.path()}, "update", 2'000'000'000);
  EXPECT_FALSE(end.transient);
  EXPECT_EQ(end.error_code, ErrorCode::resource);
  EXPECT_THAT(end.error_message,
              HasSubstr("out of memory during update: an allocation of 2.0 GB failed, and the worker held "));
  EXPECT_THAT(end.error_message, HasSubstr("in the update: activations"));
  EXPECT_THAT(end.error_message, HasSubstr("shorten the prompts"));
}

TEST(OutOfMemory, WithinTheEstimateOthersHoldTheRest) {
  const TempDir job;
  memory::write_estimate(job.path(), estimate_of(peak_memory_bytes() + 3'000'000'000));
  const auto end = out_of_memory({job.path()}, "rollout", 2'000'000'000);
  EXPECT_TRUE(end.transient);
  EXPECT_THAT(end.error_message, HasSubstr("others hold the rest"));
}

}  // namespace
}  // namespace rft::worker
