// How the shipped scorers read what Fields alone does not check. Every error names its key.
#pragma once

#include <initializer_list>
#include <limits>
#include <rft/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace options {

inline constexpr double kUnbounded = std::numeric_limits<double>::max();  // but finite

inline void require_within(const std::string& what, double value, double least, double most) {
  if (value >= least && value <= most) return;
  std::ostringstream text;
  text << what << " must be " << (most == kUnbounded ? "at least " : "from ") << least;
  if (most != kUnbounded) text << " to " << most;
  throw std::invalid_argument(text.str());
}

// A number between two bounds, which both belong to the range.
inline double number(const rft::Fields& fields, const std::string& key, double otherwise, double least = 0,
                     double most = kUnbounded) {
  const double value = fields.number(key).value_or(otherwise);
  require_within("\"" + key + "\"", value, least, most);
  return value;
}

inline double required_number(const rft::Fields& fields, const std::string& key) {
  if (!fields.number(key)) throw std::invalid_argument("the option `" + key + "` is needed");
  return number(fields, key, 0);
}

// One of a few words, the first of which is the default.
inline std::string choice(const rft::Fields& fields, const std::string& key,
                          std::initializer_list<std::string_view> words) {
  const std::string chosen = fields.text(key).value_or(std::string(*words.begin()));
  std::string known;
  for (const auto word : words) {
    if (word == chosen) return chosen;
    known.append(known.empty() ? "\"" : ", \"").append(word).append("\"");
  }
  throw std::invalid_argument("\"" + key + "\" is \"" + chosen + "\"; it can be " + known);
}

// A table of numbers, such as {"km": 1000, "m": 1}; empty where there is none.
inline std::vector<std::pair<std::string, double>> numbers(const rft::Fields& fields, const std::string& key,
                                                           double least = 0) {
  std::vector<std::pair<std::string, double>> result;
  const auto table = fields.table(key);
  if (!table) return result;
  for (const auto& [name, value] : table->all()) {
    const std::string what = "\"" + name + "\" of \"" + key + "\"";
    const auto number = table->number(name);
    if (!number) throw std::invalid_argument(what + " must be a number");
    require_within(what, *number, least, kUnbounded);
    result.emplace_back(name, *number);
  }
  return result;
}

[[noreturn]] inline void no_such_key(const std::string& target, const char* option = "target") {
  throw std::invalid_argument("a record has no \"" + target + "\"; the option `" + option +
                              "` names another key");
}

// The record's text at `target`.
inline std::string target_text(const rft::Fields& record, const std::string& target) {
  auto text = record.text(target);
  if (!text) no_such_key(target);
  return *std::move(text);
}

}  // namespace options
