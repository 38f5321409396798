// Feeds a reader with damaged versions of whole samples. Whatever comes, it reads it or throws an rft::Error
// that says why: anything else fails the test with the input, and a crash ends the program.
//
// The inputs follow from the seed. RFT_FUZZ_ROUNDS=100000 makes a run longer than the tests' own, and
// RFT_FUZZ_SEED=7 another one.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"

namespace rft {

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> samples, uint64_t seed)
      : samples_(std::move(samples)), chance_(seed) {}

  std::string next() {
    std::string text = samples_[below(samples_.size())];
    for (size_t left = 1 + below(4); left > 0; --left) change(text);
    return text;
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : chance_() % limit; }

  void change(std::string& text) {
    static const std::vector<std::string> kPieces = {"0",
                                                     "-1",
                                                     "9223372036854775808",
                                                     "1e999",
                                                     "-0.0",
                                                     "null",
                                                     "true",
                                                     "\"\"",
                                                     "[]",
                                                     "{}",
                                                     "[[[[[[[[",
                                                     "{\"a\":{\"a\":",
                                                     "\\ud800",
                                                     "\\",
                                                     "\"",
                                                     "'",
                                                     "{{",
                                                     "}}",
                                                     "{%",
                                                     "%}",
                                                     "{#",
                                                     "\xff",
                                                     "\xc3",
                                                     "\xf0\x9f",
                                                     "\xe2\x80\xa8",
                                                     "\n",
                                                     "\r",
                                                     "\t",
                                                     "4294967295",
                                                     "-9223372036854775808",
                                                     "0.1",
                                                     ",",
                                                     ":",
                                                     "=",
                                                     "#",
                                                     "|",
                                                     std::string(1, '\0'),
                                                     std::string(300, '['),
                                                     std::string(300, 'a'),
                                                     "18446744073709551615"};
    const size_t at = below(text.size() + 1);
    const size_t length = std::min(below(1 + below(40)), text.size() - at);
    switch (below(7)) {
      case 0:
        text.insert(at, kPieces[below(kPieces.size())]);
        break;
      case 1:
        text.replace(at, length, kPieces[below(kPieces.size())]);
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(below(text.size() + 1), text.substr(at, length));
        break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 5:
        replace_number(text, at, kPieces[below(kPieces.size())]);
        break;
      default:
        text.resize(below(8) == 0 ? at : text.size());
        break;
    }
  }

  // A number is where sizes and offsets go wrong.
  static void replace_number(std::string& text, size_t from, const std::string& piece) {
    const size_t begin = text.find_first_of("0123456789", from);
    if (begin == std::string::npos) return;
    const size_t end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
    text.replace(begin, end - begin, piece);
  }

  std::vector<std::string> samples_;
  std::mt19937_64 chance_;
};

inline uint64_t fuzz_setting(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

// Calls `read` with `rounds` damaged samples. At least one must be refused: a reader that takes all reads
// nothing.
inline void fuzz(std::vector<std::string> samples, uint64_t rounds,
                 const std::function<void(const std::string&)>& read) {
  for (const std::string& sample : samples) ASSERT_NO_THROW(read(sample)) << "a whole sample: " << sample;
  Mutator mutator(std::move(samples), fuzz_setting("RFT_FUZZ_SEED", 1));
  uint64_t num_refused = 0;
  for (uint64_t round = fuzz_setting("RFT_FUZZ_ROUNDS", rounds); round > 0; --round) {
    const std::string input = mutator.next();
    try {
      read(input);
    } catch (const Error& error) {
      ++num_refused;
      ASSERT_STRNE(error.what(), "") << testing::PrintToString(input);
    } catch (const std::exception& error) {
      FAIL() << error.what() << "\nis no rft::Error; the input: " << testing::PrintToString(input);
    }
  }
  EXPECT_GT(num_refused, 0u);
}

}  // namespace rft
