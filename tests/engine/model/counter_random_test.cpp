#include "engine/counter_random.h"

#include <gtest/gtest.h>

namespace rft::engine {
namespace {

// The vectors that its authors publish with Philox 4x32-10 (Random123, kat_vectors).
TEST(CounterRandom, PhiloxGivesItsPublishedNumbers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRandom, UniformNumbersLieInsideTheOpenIntervalEvenly) {
  double sum = 0;
  for (uint32_t token = 0; token < 10000; ++token) {
    const double u = sampling_uniform(1, 2, 3, 4, token);
    EXPECT_GT(u, 0);
    EXPECT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace rft::engine
