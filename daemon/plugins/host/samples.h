// What plugins are checked with.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace rft::plugins::host {

inline constexpr size_t kHugeText = size_t{1} << 20;

// What a check throws that has nothing to look at.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Sample {
  std::string prompt, completion, record;
};

// Of the first records of a JSONL file; without one made-up records. Throws Error.
std::vector<Sample> samples_of(const std::filesystem::path& data);
// Completions that are hard on whoever takes text to be ASCII.
const std::vector<std::string>& texts_in_many_scripts();

}  // namespace rft::plugins::host
