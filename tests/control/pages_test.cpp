#include "control/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> all_lines(const std::filesystem::path& file, int64_t at_a_time) {
  std::vector<std::string> lines;
  uint64_t offset = 0;
  for (;;) {
    const Page page = read_page(file, offset, at_a_time);
    lines.insert(lines.end(), page.lines.begin(), page.lines.end());
    if (page.next_offset == offset) return lines;
    offset = page.next_offset;
  }
}

TEST(Pages, AMissingFileIsEmpty) {
  const TempDir dir;
  const Page page = read_page(dir / "log.txt", 0, 10);
  EXPECT_THAT(page.lines, IsEmpty());
  EXPECT_EQ(page.next_offset, 0u);
  EXPECT_EQ(page.size, 0u);
  EXPECT_THAT(read_tail(dir / "log.txt", 10).lines, IsEmpty());
}

TEST(Pages, ALineThatIsBeingWrittenWaits) {
  const TempDir dir;
  const auto file = write_text(dir / "log.txt", "one\ntwo\nthr");
  const Page page = read_page(file, 0, 10);
  EXPECT_THAT(page.lines, ElementsAre("one", "two"));
  EXPECT_EQ(page.next_offset, 8u);
  EXPECT_THAT(read_page(file, 8, 10).lines, IsEmpty());
  write_text(file, "one\ntwo\nthree\n");
  EXPECT_THAT(read_page(file, 8, 10).lines, ElementsAre("three"));
}

TEST(Pages, PagesTogetherAreTheFile) {
  const TempDir dir;
  std::string text;
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i)
    lines.push_back(std::string(static_cast<size_t>(i % 700), 'x') + std::to_string(i));
  for (const std::string& line : lines) text += line + "\n";
  ASSERT_GT(text.size(), 3 * kPageBytes);
  const auto file = write_text(dir / "log.txt", text);
  EXPECT_EQ(all_lines(file, kMaxPageLines), lines);
  EXPECT_EQ(all_lines(file, 7), lines);
}

TEST(Pages, ALineLongerThanAPageIsCutAndPassedOver) {
  const TempDir dir;
  const auto file = write_text(dir / "log.txt", "one\n" + std::string(3 * kPageBytes, 'x') + "\ntwo\n");
  const std::vector<std::string> lines = all_lines(file, kMaxPageLines);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "one");
  EXPECT_EQ(lines[1].size(), kPageBytes);
  EXPECT_EQ(lines[2], "two");
  EXPECT_THAT(read_tail(file, 1).lines, ElementsAre("two"));
}

TEST(Pages, TheTailIsTheLastLinesAndItsOffsetIsTheirs) {
  const TempDir dir;
  const auto file = write_text(dir / "log.txt", "one\ntwo\nthree\n");
  const Page tail = read_tail(file, 2);
  EXPECT_THAT(tail.lines, ElementsAre("two", "three"));
  EXPECT_EQ(tail.offset, 4u);
  EXPECT_EQ(tail.next_offset, 14u);
  EXPECT_THAT(read_tail(file, 99).lines, ElementsAre("one", "two", "three"));
}

TEST(Pages, TheTailOfALargeFileBeginsWithAWholeLine) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + "\n";
  const auto file = write_text(dir / "log.txt", text);
  const Page tail = read_tail(file, kMaxPageLines);
  ASSERT_FALSE(tail.lines.empty());
  EXPECT_EQ(tail.lines.back(), "line 99999");
  EXPECT_TRUE(tail.lines.front().starts_with("line "));
  EXPECT_EQ(read_page(file, tail.offset, 1).lines.front(), tail.lines.front());
}

TEST(Pages, OnlyRegularFilesAreRead) {
  const TempDir dir;
  write_text(dir / "secret", "secret\n");
  std::filesystem::create_symlink(dir / "secret", dir / "log.txt");
  EXPECT_THROW(read_page(dir / "log.txt", 0, 10), Error);
  std::filesystem::create_directory(dir / "folder");
  EXPECT_THROW(read_page(dir / "folder", 0, 10), Error);
}

TEST(Pages, ATornRowIsLeftOut) {
  const TempDir dir;
  const auto file = write_text(dir / "metrics.jsonl", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n");
  const Json page = json_page(read_page(file, 0, 10));
  EXPECT_EQ(page["rows"], Json::parse("[{\"a\":1},{\"a\":3}]"));
  EXPECT_EQ(page["next_offset"], page["size"]);
}

TEST(Pages, ARequestAsksForATailOrFromAnOffset) {
  const TempDir dir;
  const auto file = write_text(dir / "log.txt", "one\ntwo\nthree\n");
  EXPECT_THAT(requested_page(Args(Json{{"tail", 1}}), file).lines, ElementsAre("three"));
  EXPECT_THAT(requested_page(Args(Json{{"offset", 4}, {"limit", 1}}), file).lines, ElementsAre("two"));
  EXPECT_THROW(requested_page(Args(Json{{"offset", -1}}), file), Error);
  EXPECT_THROW(requested_page(Args(Json{{"tail", 0}}), file), Error);
  EXPECT_THAT(requested_page(Args(Json{{"offset", 1'000'000}}), file).lines, IsEmpty());
}

}  // namespace
}  // namespace rft::control
