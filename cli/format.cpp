#include "cli/format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace rft::cli {
namespace {

constexpr std::array<const char*, 9> kEighthsUp = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<const char*, 8> kEighthsRight = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

const char* code_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::bold:
      return "\033[1m";
    case Colour::dim:
      return "\033[2m";
    case Colour::red:
      return "\033[31m";
    case Colour::green:
      return "\033[32m";
    case Colour::yellow:
      return "\033[33m";
    case Colour::blue:
      return "\033[34m";
  }
  return "";
}

std::string print(const char* format, auto... values) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string padded(const std::string& text, size_t width, bool to_the_right) {
  const size_t have = display_width(text);
  const std::string blanks(width > have ? width - have : 0, ' ');
  return to_the_right ? blanks + text : text + blanks;
}

std::vector<double> finite_only(std::span<const double> values) {
  std::vector<double> finite;
  for (const double value : values)
    if (std::isfinite(value)) finite.push_back(value);
  return finite;
}

// At most `width` values: means of equal stretches.
std::vector<double> condensed(const std::vector<double>& values, size_t width) {
  if (values.size() <= width) return values;
  std::vector<double> means;
  for (size_t column = 0; column < width; ++column) {
    const size_t begin = column * values.size() / width, end = (column + 1) * values.size() / width;
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += values[i];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  return means;
}

}  // namespace

Style Style::of_stdout() {
  Style style;
  style.terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  style.colour =
      style.terminal && !(no_colour && *no_colour) && terminal && std::string_view(terminal) != "dumb";
  winsize size{};
  if (style.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    style.width = size.ws_col;
  return style;
}

std::string paint(const Style& style, Colour colour, std::string_view text) {
  if (!style.colour || colour == Colour::none) return std::string(text);
  return code_of(colour) + std::string(text) + "\033[0m";
}

Colour colour_of_state(std::string_view state) {
  if (state == "succeeded") return Colour::green;
  if (state == "running" || state == "checking") return Colour::blue;
  if (state == "failed" || state == "rejected") return Colour::red;
  if (state == "cancelled") return Colour::dim;
  return Colour::yellow;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size());
      continue;
    }
    width += begins_character(text[i]) ? 1 : 0;
  }
  return width;
}

std::string cut(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string kept;
  size_t columns = 0;
  for (size_t i = 0, end = 0; i < text.size(); i = end) {
    const bool is_colour = text[i] == '\033';
    end = is_colour ? std::min(text.find('m', i), text.size() - 1) + 1 : i + 1;
    while (end < text.size() && !begins_character(text[end])) ++end;
    if (!is_colour) ++columns;
    if (is_colour || columns < width)
      kept += text.substr(i, end - i);
    else if (columns == width)
      kept += "…";
  }
  return kept;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n')
      line += "\\n";
    else if (c == '\t')
      line += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      line += print("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      line += c;
  }
  return line;
}

std::string first_line(std::string_view text) { return one_line(text.substr(0, text.find('\n'))); }

std::string indented(std::string_view text) {
  std::string lines = first_line(text);
  for (size_t end; (end = text.find('\n')) != std::string_view::npos;) {
    text.remove_prefix(end + 1);
    lines += "\n    " + first_line(text);
  }
  return lines;
}

Table::Table(std::vector<std::string> headers, std::vector<size_t> right)
    : headers_(std::move(headers)), right_(std::move(right)) {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(const Style& style) const {
  std::vector<size_t> widths;
  for (size_t column = 0; column < headers_.size(); ++column) {
    widths.push_back(display_width(headers_[column]));
    for (const auto& row : rows_) widths[column] = std::max(widths[column], display_width(row[column]));
  }
  size_t before_last = 0;
  for (size_t column = 0; column + 1 < widths.size(); ++column) before_last += widths[column] + 2;
  const size_t whole_line = static_cast<size_t>(std::max(style.width, 20));

  const auto line = [&](const std::vector<std::string>& cells, Colour colour) {
    std::string text;
    for (size_t column = 0; column < cells.size(); ++column) {
      const bool last = column + 1 == cells.size();
      const bool to_the_right = std::ranges::find(right_, column) != right_.end();
      std::string cell = cells[column];
      if (last && style.terminal && whole_line > before_last + 8) cell = cut(cell, whole_line - before_last);
      text += last && !to_the_right ? cell : padded(cell, widths[column], to_the_right);
      if (!last) text += "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return paint(style, colour, text) + "\n";
  };
  std::string text = line(headers_, Colour::bold);
  for (const auto& row : rows_) text += line(row, Colour::none);
  return text;
}

std::string bar(double share, int width) {
  const double clamped = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const int eighths = static_cast<int>(std::floor(clamped * width * 8));
  std::string text;
  for (int column = 0; column < eighths / 8; ++column) text += "█";
  text += kEighthsRight[static_cast<size_t>(eighths % 8)];
  const int used = eighths / 8 + (eighths % 8 ? 1 : 0);
  return text + std::string(static_cast<size_t>(width - used), ' ');
}

std::string sparkline(std::span<const double> values, size_t width) {
  const std::vector<double> finite = finite_only(values);
  if (finite.empty()) return "";
  const std::span shown = std::span(finite).last(std::min(width, finite.size()));
  const auto [low, high] = std::ranges::minmax(shown);
  std::string text;
  for (const double value : shown) {
    const double share = high > low ? (value - low) / (high - low) : 0.5;
    text += kEighthsUp[static_cast<size_t>(1 + std::lround(share * 7))];
  }
  return text;
}

std::vector<std::string> chart(std::span<const double> values, size_t width, size_t height) {
  const std::vector<double> shown = condensed(finite_only(values), width);
  std::vector<std::string> lines;
  if (shown.empty() || height == 0) return lines;
  const auto [low, high] = std::ranges::minmax(shown);
  for (size_t line = 0; line < height; ++line) {
    const size_t floor = (height - 1 - line) * 8;  // eighths below this line
    std::string text = line == 0            ? padded(number(high, 3), 8, true) + " ┤"
                       : line + 1 == height ? padded(number(low, 3), 8, true) + " ┤"
                                            : std::string(8, ' ') + " │";
    for (const double value : shown) {
      const double share = high > low ? (value - low) / (high - low) : 0.5;
      const size_t filled = 1 + static_cast<size_t>(std::lround(share * static_cast<double>(height * 8 - 1)));
      text += kEighthsUp[filled <= floor ? 0 : std::min<size_t>(8, filled - floor)];
    }
    lines.push_back(std::move(text));
  }
  return lines;
}

std::string number(double value, int digits) {
  return std::isnan(value) ? "-" : print("%.*f", digits, value);
}

std::string whole(int64_t value) { return std::to_string(value); }

std::string bytes_text(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return print(unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds < 10) return print("%.1fs", seconds);
  const auto total = static_cast<int64_t>(std::llround(seconds));
  if (total < 60) return print("%llds", static_cast<long long>(total));
  if (total < 3600)
    return print("%lldm%02llds", static_cast<long long>(total / 60), static_cast<long long>(total % 60));
  if (total < 86400)
    return print("%lldh%02lldm", static_cast<long long>(total / 3600),
                 static_cast<long long>(total / 60 % 60));
  return print("%lldd%02lldh", static_cast<long long>(total / 86400),
               static_cast<long long>(total / 3600 % 24));
}

int64_t seconds_of(const std::string& utc) {
  std::tm time{};
  return ::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) ? static_cast<int64_t>(::timegm(&time)) : 0;
}

std::string age_text(const std::string& utc) {
  const int64_t then = seconds_of(utc);
  if (then == 0) return "-";
  const int64_t age = std::max<int64_t>(0, static_cast<int64_t>(std::time(nullptr)) - then);
  const auto text = [](int64_t count, const char* unit) { return std::to_string(count) + unit; };
  if (age < 60) return text(age, "s");
  if (age < 3600) return text(age / 60, "m");
  if (age < 86400) return text(age / 3600, "h");
  return text(age / 86400, "d");
}

}  // namespace rft::cli
