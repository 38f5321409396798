#include "executor/gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rft::executor {
namespace {

TEST(Gpus, AreAbsentWithTheReasonWhereThereIsNoDriver) {
  const auto inventory = list_gpus("libno-such-driver.so.1");
  EXPECT_TRUE(inventory.gpus.empty());
  EXPECT_THAT(inventory.absence, ::testing::HasSubstr("libno-such-driver.so.1 cannot be loaded"));
}

TEST(Gpus, AreListedByUuidLessThoseThatAreLost) {
  const auto inventory = list_gpus(RFT_FAKE_NVML);
  ASSERT_EQ(inventory.gpus.size(), 2U);
  EXPECT_EQ(inventory.gpus[0].uuid, "GPU-1");
  EXPECT_EQ(inventory.gpus[1].uuid, "GPU-3");
  EXPECT_EQ(inventory.gpus[1].name, "Fake 9000");
  EXPECT_EQ(inventory.gpus[1].memory_bytes, 80ULL << 30);
  EXPECT_EQ(inventory.absence, "");
}

}  // namespace
}  // namespace rft::executor
