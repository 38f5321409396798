#include "plugins/isolation.h"

#include <gtest/gtest.h>

namespace rft::plugins {
namespace {

TEST(Isolation, SaysWhatIsMissingExactlyWhenSomethingIs) {
  const Isolation& isolation = available_isolation();
  EXPECT_EQ(isolation.missing.empty(), isolation.namespaces && isolation.system_call_filter)
      << isolation.missing;
  const Json json = to_json(isolation);
  EXPECT_EQ(json["namespaces"], isolation.namespaces);
  EXPECT_EQ(json["missing"], isolation.missing);
}

}  // namespace
}  // namespace rft::plugins
