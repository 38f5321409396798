// Regular expressions by RE2: its time is linear in the text and its stack does not grow with it, whatever
// the pattern, so that no completion can hang or crash a scorer.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <stdexcept>
#include <string>

// Throws std::invalid_argument with the pattern and what is wrong with it.
inline std::unique_ptr<const re2::RE2> compile_pattern(const std::string& pattern, bool ignore_case = false) {
  re2::RE2::Options how;
  how.set_log_errors(false);
  how.set_case_sensitive(!ignore_case);
  auto compiled = std::make_unique<const re2::RE2>(pattern, how);
  if (!compiled->ok())
    throw std::invalid_argument("the pattern \"" + pattern + "\" is refused: " + compiled->error() +
                                " (RE2 syntax: no look-around, no back-references)");
  return compiled;
}
