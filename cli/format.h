// Text for people: tables, colours, bars, small charts, durations. Pure functions from values to strings;
// what the terminal can do is told to them in a Style. Widths are in columns; text is UTF-8.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rft::cli {

struct Style {
  bool terminal = false;  // redraw in place, fit the width
  bool colour = false;    // a terminal, and NO_COLOR is not set
  int width = 80;         // columns; where it is no terminal, lines are not cut

  // Of the program's standard output.
  static Style of_stdout();
};

enum class Colour { none, bold, dim, red, green, yellow, blue };

std::string paint(const Style& style, Colour colour, std::string_view text);
// Of a job's state: green for what is well, yellow for what waits, red for what ended badly.
Colour colour_of_state(std::string_view state);

// Columns that `text` takes, colour codes not counted.
size_t display_width(std::string_view text);
// `text` in at most `width` columns, "…" at its end where it was cut; its colours end as they did.
std::string cut(std::string_view text, size_t width);
// A user's text on one line: line breaks and control characters written as escapes.
std::string one_line(std::string_view text);
// The first of a user's lines, control characters written as escapes.
std::string first_line(std::string_view text);
// All of a user's lines, those after the first indented by four columns, control characters written as
// escapes.
std::string indented(std::string_view text);

// A table with a header line. Numbers, that is the columns named in `right`, stand to the right. On a
// terminal the last column is cut to the width.
class Table {
 public:
  explicit Table(std::vector<std::string> headers, std::vector<size_t> right = {});
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  std::string text(const Style& style) const;

 private:
  std::vector<std::string> headers_;
  std::vector<size_t> right_;
  std::vector<std::vector<std::string>> rows_;
};

// "█████▌    " of `share` in [0, 1].
std::string bar(double share, int width);
// "▁▃▅█": one column per value, the last `width` of them.
std::string sparkline(std::span<const double> values, size_t width);
// A chart of `height` lines with its range at the left: one column per value, averaged down to `width`
// columns where there are more.
std::vector<std::string> chart(std::span<const double> values, size_t width, size_t height);

std::string number(double value, int digits);  // "0.613"; "-" for NaN
std::string whole(int64_t value);
std::string bytes_text(uint64_t bytes);     // "1.3 GB"
std::string duration_text(double seconds);  // "4m10s"
// Seconds since 1970 of "2026-01-31T09:00:00Z"; nothing sensible, and 0, for other text.
int64_t seconds_of(const std::string& utc);
// "3m" for what happened three minutes ago; "-" where it has not happened.
std::string age_text(const std::string& utc);

}  // namespace rft::cli
