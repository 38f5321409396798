// `rft-worker new-model`: a small model with random weights and a tokenizer trained on the user's own data:
// for trying things out, for tests and for the examples. Not a model to expect language of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rft::worker {

struct NewModelOptions {
  std::string recipe = "tiny";
  std::vector<std::filesystem::path> from;  // JSONL; every string in them trains the tokenizer
  std::filesystem::path out;                // must not exist
  uint64_t seed = 0;
  int64_t vocabulary = 512;  // at most; small data gives fewer
  int64_t layers = 3;
  int64_t hidden = 128;
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t max_positions = 1024;
};

// Writes a Hugging Face model directory, whole or not at all. Throws rft::Error for options that do not fit
// each other, data that cannot be read, and a target that exists.
void make_model(const NewModelOptions& options);

}  // namespace rft::worker
