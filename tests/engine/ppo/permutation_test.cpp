#include "engine/ppo/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace rft::engine {
namespace {

TEST(Permutation, HoldsEveryIndexOnce) {
  for (const int64_t size : {0, 1, 2, 7, 128}) {
    std::vector<int64_t> order = permutation(size, 3, 1, 2), sorted(size);
    std::iota(sorted.begin(), sorted.end(), int64_t{0});
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, sorted);
  }
}

TEST(Permutation, DependsOnEachOfItsKeysAndOnNothingElse) {
  const std::vector<int64_t> order = permutation(64, 3, 1, 2);
  EXPECT_EQ(order, permutation(64, 3, 1, 2));
  EXPECT_NE(order, permutation(64, 4, 1, 2));
  EXPECT_NE(order, permutation(64, 3, 2, 2));
  EXPECT_NE(order, permutation(64, 3, 1, 3));
  EXPECT_NE(permutation(64, 3, 1, 2), permutation(64, 3, 2, 1));
}

TEST(Permutation, EachOrderIsEquallyLikely) {
  std::map<std::vector<int64_t>, int> seen;
  for (uint64_t seed = 0; seed < 6000; ++seed) ++seen[permutation(3, seed, 0, 0)];
  ASSERT_EQ(seen.size(), 6u);
  for (const auto& [order, times] : seen) EXPECT_NEAR(times, 1000, 150);  // five standard deviations
}

}  // namespace
}  // namespace rft::engine
