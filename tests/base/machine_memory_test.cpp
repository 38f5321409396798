#include "base/machine_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft {
namespace {

constexpr const char* kMemInfo = "MemTotal:       24000000 kB\nMemFree:  5 kB\n";

TEST(MachineMemory, IsTheMachinesWithoutACgroup) {
  const TempDir root;
  write_text(root / "proc/meminfo", kMemInfo);
  EXPECT_EQ(memory_limit_bytes(root.path()), int64_t{24000000} * 1024);
}

TEST(MachineMemory, IsTheLowestLimitOfTheCgroupsAround) {
  const TempDir root;
  write_text(root / "proc/meminfo", kMemInfo);
  write_text(root / "proc/self/cgroup", "0::/system.slice/rftd.service\n");
  write_text(root / "sys/fs/cgroup/system.slice/rftd.service/memory.max", "max\n");
  EXPECT_EQ(memory_limit_bytes(root.path()), int64_t{24000000} * 1024);
  write_text(root / "sys/fs/cgroup/system.slice/memory.max", "4000000000\n");
  EXPECT_EQ(memory_limit_bytes(root.path()), 4000000000);
}

TEST(MachineMemory, ReadsVersionOneOfCgroupsToo) {
  const TempDir root;
  write_text(root / "proc/meminfo", kMemInfo);
  write_text(root / "proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1\n");
  write_text(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000000\n");
  EXPECT_EQ(memory_limit_bytes(root.path()), 3000000000);
}

TEST(MachineMemory, CountsKillsOfTheCgroupApartFromTheMachines) {
  const TempDir root;
  write_text(root / "proc/vmstat", "pgfault 17\noom_kill 5\n");
  OutOfMemoryKills kills = count_out_of_memory_kills(root.path());
  EXPECT_EQ(kills.of_machine, 5);
  EXPECT_FALSE(kills.of_cgroup);
  write_text(root / "proc/self/cgroup", "0::/jobs\n");
  write_text(root / "sys/fs/cgroup/jobs/memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n");
  kills = count_out_of_memory_kills(root.path());
  EXPECT_EQ(kills.of_cgroup, 2);
}

TEST(MachineMemory, ThePeakCoversWhatWasHeld) {
  std::vector<char> held(50'000'000, 1);
  EXPECT_GT(peak_memory_bytes(), 50'000'000);
}

TEST(MachineMemoryDeathTest, AnAllocationBeyondTheLimitFails) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer ends the program where malloc would answer null";
#endif
  EXPECT_EXIT(
      {
        limit_memory(300'000'000);
        void* const small = std::malloc(100'000'000);
        void* const large = std::malloc(300'000'000);
        std::exit(small != nullptr && large == nullptr ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(MemoryText, IsShort) {
  EXPECT_EQ(memory_text(12'345'678), "12 MB");
  EXPECT_EQ(memory_text(3'140'000'000), "3.1 GB");
}

}  // namespace
}  // namespace rft
