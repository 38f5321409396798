// A configuration file as a table: each row binds one key to the member it fills, its range and its meaning.
// The same rows read the file, write it out whole, and make the reference table in docs/, so that none of the
// three can say something else than the others.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "config/key_lines.h"

namespace rft::config {

// What a value may be. `choices` is for strings (empty: any); the bounds are for numbers.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;
  std::vector<std::string_view> choices = {};
};

inline Range at_least(double min) { return {.min = min}; }
inline Range above(double min) { return {.min = min, .min_excluded = true}; }
inline Range between(double min, double max) { return {.min = min, .max = max}; }
inline Range inside(double min, double max) {
  return {.min = min, .max = max, .min_excluded = true, .max_excluded = true};
}
inline Range above_up_to(double min, double max) { return {.min = min, .max = max, .min_excluded = true}; }
inline Range one_of(std::vector<std::string_view> choices) { return {.choices = std::move(choices)}; }

// Where a value goes. Json takes a free-form table, whose keys are not checked.
using Member = std::variant<int64_t*, double*, bool*, std::string*, std::vector<std::string>*,
                            std::filesystem::path*, Json*>;

struct Key {
  std::string_view section;  // "" for the top of the file
  std::string_view name;
  Member member;
  Range range;
  std::string_view meaning;  // one sentence, with the unit
  bool required = false;
};

// A key that is known and yet not accepted: the reason is better than "unknown key".
struct RefusedKey {
  std::string_view section;
  std::string_view name;
  std::string_view reason;
};

// Fills the members from a TOML file; keys that it does not give are left alone. Throws
// Error(invalid_argument) "FILE:LINE: what is wrong; the mend", Error(io) for a file that cannot be read.
KeyLines read_toml(const std::filesystem::path& file, const std::vector<Key>& keys,
                   const std::vector<RefusedKey>& refused);

// The same of a text that is no file: its errors name no line.
KeyLines read_toml_text(const std::string& text, const std::vector<Key>& keys,
                        const std::vector<RefusedKey>& refused);

// Every key with its present value, in the order of the table.
std::string write_toml(const std::vector<Key>& keys);

// The present value as TOML writes it: 0.2, "auto", ["a", "b"].
std::string value_text(const Member& member);
// "integer ≥ 1", "number in (0, 1]", "`gae` or `grpo`", …
std::string range_text(const Key& key);
// The rows as one Markdown table a section: key, type and range, default, meaning.
std::string markdown_tables(const std::vector<Key>& keys);

}  // namespace rft::config
