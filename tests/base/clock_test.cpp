#include "base/clock.h"

#include <gtest/gtest.h>

namespace rft {
namespace {

TEST(UtcText, IsWrittenAsInIso8601) {
  using std::chrono::system_clock;
  EXPECT_EQ(utc_text(system_clock::time_point(std::chrono::seconds(1767225600))), "2026-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(system_clock::time_point(std::chrono::milliseconds(1717243384999))),
            "2024-06-01T12:03:04Z");
}

}  // namespace
}  // namespace rft
