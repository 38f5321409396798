#include "cli/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace rft::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Style kPlain;
const Style kTerminal{.terminal = true, .colour = true, .width = 30};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Format, ColoursOnlyWhereTheyAreWanted) {
  EXPECT_EQ(paint(kPlain, Colour::red, "failed"), "failed");
  EXPECT_EQ(paint(kTerminal, Colour::red, "failed"), "\033[31mfailed\033[0m");
}

TEST(Format, WidthIsCountedInCharactersWithoutColours) {
  EXPECT_EQ(display_width("héllo"), 5u);
  EXPECT_EQ(display_width(paint(kTerminal, Colour::green, "ok")), 2u);
}

TEST(Format, CutsColouredTextWithoutLosingTheEndOfItsColour) {
  EXPECT_EQ(cut("\033[31mabc\033[0mdef", 4), "\033[31mabc\033[0m…");
  EXPECT_EQ(cut("\033[31mabcdef\033[0m", 3), "\033[31mab…\033[0m");
}

TEST(Format, CutsBetweenCharacters) {
  EXPECT_EQ(cut("naïve text", 10), "naïve text");
  EXPECT_EQ(cut("naïve text", 4), "naï…");
  EXPECT_EQ(display_width(cut("ääääääää", 5)), 5u);
}

TEST(Format, ControlCharactersOfAUsersTextDoNotReachTheTerminal) {
  EXPECT_EQ(one_line("a\nb\t\x1b[31mred\x7f"), "a\\nb\\t\\x1b[31mred\\x7f");
}

TEST(Format, AUsersLinesAreKeptApartAndIndented) {
  EXPECT_EQ(first_line("one\ttwo\nthree"), "one\\ttwo");
  EXPECT_EQ(indented("one\n  two\x1b\nthree"), "one\n      two\\x1b\n    three");
  EXPECT_EQ(indented(""), "");
}

TEST(Table, AlignsItsColumns) {
  Table table({"ID", "NAME"}, {0});
  table.add({"7", "fraud"});
  table.add({"17", "é"});
  EXPECT_EQ(table.text(kPlain), "ID  NAME\n 7  fraud\n17  é\n");
}

TEST(Table, ColoursDoNotShiftColumns) {
  Table table({"STATE", "NAME"});
  table.add({paint(kTerminal, Colour::green, "ok"), "a"});
  EXPECT_THAT(table.text(kTerminal), HasSubstr("\033[32mok\033[0m     a\n"));
}

TEST(Table, CutsTheLastColumnOnATerminalOnly) {
  Table table({"ID", "REASON"});
  table.add({"1", std::string(100, 'x')});
  EXPECT_THAT(table.text(kPlain), HasSubstr(std::string(100, 'x')));
  EXPECT_THAT(table.text(kTerminal), Not(HasSubstr(std::string(27, 'x'))));
  EXPECT_THAT(table.text(kTerminal), HasSubstr("…"));
}

TEST(Bar, FillsInEighths) {
  EXPECT_EQ(bar(0, 4), "    ");
  EXPECT_EQ(bar(0.5, 4), "██  ");
  EXPECT_EQ(bar(0.125, 4), "▌   ");
  EXPECT_EQ(bar(1, 4), "████");
  EXPECT_EQ(bar(2, 4), "████");
  EXPECT_EQ(bar(kNaN, 4), "    ");
}

TEST(Sparkline, ShowsTheLastValuesBetweenTheirExtremes) {
  const std::vector<double> values = {9, 0, 1};
  EXPECT_EQ(sparkline(values, 2), "▁█");
  EXPECT_EQ(sparkline(std::vector<double>{}, 5), "");
  EXPECT_EQ(display_width(sparkline(std::vector<double>{kNaN, 1, 1}, 5)), 2u);
}

TEST(Chart, HasItsRangeAtTheLeftAndAColumnForEachValue) {
  EXPECT_THAT(chart(std::vector<double>{0, 1}, 10, 2), ElementsAre("   1.000 ┤ █", "   0.000 ┤▁█"));
  EXPECT_TRUE(chart(std::vector<double>{}, 10, 2).empty());
}

TEST(Chart, ManyValuesAreAveragedIntoItsWidth) {
  std::vector<double> values(1000, 0.0);
  values.resize(2000, 1.0);
  const auto lines = chart(values, 20, 3);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(display_width(lines[0]), 10u + 20u);
}

TEST(Format, Quantities) {
  EXPECT_EQ(number(0.8725, 3), "0.873");
  EXPECT_EQ(number(kNaN, 3), "-");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1'340'000'000), "1.3 GB");
  EXPECT_EQ(duration_text(0.25), "0.2s");
  EXPECT_EQ(duration_text(250), "4m10s");
  EXPECT_EQ(duration_text(3 * 3600 + 120), "3h02m");
  EXPECT_EQ(duration_text(kNaN), "-");
  EXPECT_EQ(seconds_of("1970-01-02T00:00:01Z"), 86401);
  EXPECT_EQ(age_text(""), "-");
}

}  // namespace
}  // namespace rft::cli
