#include "control/request_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/files.h"
#include "control/args.h"

namespace rft::control {
namespace {

using ::testing::HasSubstr;

TEST(RequestTable, IsSortedAndFindsEachOfItsVerbs) {
  EXPECT_TRUE(std::ranges::is_sorted(request_table(), {}, &RequestEntry::verb));
  for (const RequestEntry& entry : request_table()) EXPECT_EQ(&find_request(entry.verb), &entry);
}

TEST(RequestTable, EveryVerbIsInTheProtocolsDocument) {
  const std::string document = read_file(std::filesystem::path(RFT_TEST_DATA_DIR) / "../../docs/protocol.md");
  for (const RequestEntry& entry : request_table())
    EXPECT_THAT(document,
                HasSubstr("\n| `" + std::string(entry.verb) + "` | " + (entry.mutates ? "yes" : "|")));
}

TEST(Args, WrongTypesAndRangesNameTheArgument) {
  const Args read(
      {{"text", 7}, {"flag", "yes"}, {"number", 1.5}, {"huge", 18446744073709551615u}, {"list", {1}}});
  const auto field_of = [](const auto& read) -> std::string {
    try {
      read();
    } catch (const Error& error) {
      return error.field();
    }
    return "";
  };
  EXPECT_EQ(field_of([&] { (void)read.text("text"); }), "text");
  EXPECT_EQ(field_of([&] { (void)read.text("absent"); }), "absent");
  EXPECT_EQ(field_of([&] { (void)read.flag("flag"); }), "flag");
  EXPECT_EQ(field_of([&] { (void)read.integer("number", 0, 9); }), "number");
  EXPECT_EQ(field_of([&] { (void)read.integer("huge", -9, 9); }), "huge");
  EXPECT_EQ(field_of([&] { (void)read.texts("list"); }), "list");
}

TEST(Args, AZeroByteIsRefused) {
  EXPECT_THROW(Args(Json{{"folder", std::string("/\0nowhere", 9)}}).text("folder"), Error);
}

TEST(Args, AJobIsANumberOrAName) {
  EXPECT_EQ(Args(Json{{"job", 17}}).job(), "17");
  EXPECT_EQ(Args(Json{{"job", "17"}}).job(), "17");
  EXPECT_EQ(Args(Json{{"job", "fraud"}}).job(), "fraud");
  EXPECT_THROW(Args(Json{{"job", -1}}).job(), Error);
  EXPECT_THROW(Args(Json{{"job", ""}}).job(), Error);
}

}  // namespace
}  // namespace rft::control
