#include "jobs/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rft::jobs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMemory = 10'000'000'000;  // bytes

std::vector<int64_t> take_all(Queue& queue) {
  std::vector<int64_t> ids;
  while (const auto placement = queue.take_next()) ids.push_back(placement->id);
  return ids;
}

TEST(Queue, ServesOneOwnerInTheOrderOfIds) {
  Queue queue(1, {}, kMemory);
  for (const int64_t id : {3, 1, 2}) queue.add({id, 7, 1, 0});
  std::vector<int64_t> order;
  while (const auto placement = queue.take_next()) {
    order.push_back(placement->id);
    queue.remove(placement->id);
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(Queue, GivesTheCoresThatAreAskedForAndAllByDefault) {
  Queue queue(4, {}, kMemory);
  queue.add({1, 0, 3, 0});
  queue.add({2, 0, 0, 0});
  const auto first = queue.take_next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->allocation.cores, 3);
  EXPECT_FALSE(queue.take_next());  // the second needs all four
  queue.remove(1);
  EXPECT_EQ(queue.take_next()->allocation.cores, 4);
}

TEST(Queue, LetsNobodyOvertakeAJobThatNeedsTheWholeMachine) {
  Queue queue(4, {}, kMemory);
  queue.add({1, 0, 2, 0});
  queue.add({2, 0, 4, 0});
  queue.add({3, 0, 1, 0});
  EXPECT_THAT(take_all(queue), ElementsAre(1));
  queue.remove(1);
  EXPECT_THAT(take_all(queue), ElementsAre(2));
  queue.remove(2);
  EXPECT_THAT(take_all(queue), ElementsAre(3));
}

TEST(Queue, SharesBetweenOwners) {
  Queue queue(1, {}, kMemory);
  for (int64_t id = 1; id <= 1000; ++id) queue.add({id, 100, 1, 0});
  queue.add({1001, 200, 1, 0});
  queue.add({1002, 200, 1, 0});
  std::vector<int64_t> order;
  for (int i = 0; i < 5; ++i) {
    const auto placement = queue.take_next();
    order.push_back(placement->id);
    queue.remove(placement->id);
  }
  EXPECT_THAT(order, ElementsAre(1, 1001, 2, 1002, 3));
}

TEST(Queue, GivesEachGpuOnceAndByUuid) {
  Queue queue(8, {"GPU-a", "GPU-b"}, kMemory);
  for (int64_t id = 1; id <= 3; ++id) queue.add({id, 0, 0, 1});
  const auto first = queue.take_next();
  const auto second = queue.take_next();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(queue.take_next());
  EXPECT_EQ(first->allocation.gpus.size(), 1U);
  EXPECT_NE(first->allocation.gpus, second->allocation.gpus);
  EXPECT_EQ(first->allocation.cores, 4);  // a GPU job takes its share of the cores
  queue.remove(1);
  EXPECT_EQ(queue.take_next()->allocation.gpus, first->allocation.gpus);
}

TEST(Queue, LetsJobsThatCanNeverFitStandAside) {
  Queue queue(2, {}, kMemory);
  queue.add({1, 0, 0, 1});
  queue.add({2, 0, 16, 0});
  queue.add({3, 0, 1, 0});
  EXPECT_THAT(take_all(queue), ElementsAre(3));
  EXPECT_THAT(queue.why(1), Contains(HasSubstr("asks for 1 GPU, and this machine gives jobs 0")));
  EXPECT_THAT(queue.why(2), Contains(HasSubstr("asks for 16 cores, and this machine gives jobs 2")));
}

TEST(Queue, LetsAJobWaitForTheMemoryThatOthersHold) {
  Queue queue(4, {}, kMemory);
  queue.add({.id = 1, .cores = 1, .memory = 6'000'000'000});
  queue.add({.id = 2, .cores = 1, .memory = 5'000'000'000});
  EXPECT_THAT(take_all(queue), ElementsAre(1));
  EXPECT_EQ(queue.why_in_short(2), "needs 5.0 GB of 10.0 GB of memory, and 4.0 GB are free");
  EXPECT_THAT(queue.why(2), Contains("the others are held by job 1 (1 cores, 6.0 GB)"));
  queue.remove(1);
  EXPECT_THAT(take_all(queue), ElementsAre(2));
  queue.add({.id = 3, .cores = 1, .memory = 11'000'000'000});
  EXPECT_THAT(queue.why_in_short(3),
              HasSubstr("needs 11.0 GB of memory, and this machine gives jobs 10.0 GB"));
}

TEST(Queue, SaysWhyAJobWaits) {
  Queue queue(2, {}, kMemory);
  for (int64_t id = 1; id <= 3; ++id) queue.add({id, 0, 2, 0});
  take_all(queue);
  EXPECT_THAT(queue.why(3), ElementsAre("needs 2 of 2 cores, and 0 are free",
                                        "the others are held by job 1 (2 cores, 0 MB)",
                                        "1 of its owner's jobs are ahead of it"));
  EXPECT_THAT(queue.why(1), IsEmpty());
}

TEST(Queue, FreesTheSlotsOfARemovedJob) {
  Queue queue(2, {}, kMemory);
  queue.add({1, 0, 2, 0});
  queue.add({2, 0, 2, 0});
  EXPECT_THAT(take_all(queue), ElementsAre(1));
  queue.remove(2);  // while it waits
  queue.remove(1);
  queue.remove(1);  // twice is once
  queue.add({3, 0, 2, 0});
  EXPECT_THAT(take_all(queue), ElementsAre(3));
}

}  // namespace
}  // namespace rft::jobs
