// What a safetensors file holds, read from its header alone and checked as the format demands: unique keys,
// every byte of the data in exactly one tensor, sizes that follow from dtype and shape. Whoever maps the data
// afterwards may trust the offsets.
//
// Threading: free functions, no shared state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace rft::text {

struct TensorEntry {
  std::string name;
  std::string dtype;            // as the format spells it: F32, BF16, …
  std::vector<int64_t> shape;   // rank 0 and a size of 0 are legal
  uint64_t begin = 0, end = 0;  // in bytes from the start of the file
};

struct SafetensorsHeader {
  uint64_t file_size = 0;
  std::vector<TensorEntry> tensors;  // by their offsets
};

// Throws Error: io when the file cannot be read, invalid_argument "FILE: what is wrong with it".
SafetensorsHeader read_safetensors_header(const std::filesystem::path& file);

// Which file of a model's folder holds which tensor.
struct TensorLocation {
  std::filesystem::path file;
  TensorEntry entry;
};

// Every tensor of a model's folder: of model.safetensors or, where there is model.safetensors.index.json, of
// the files it names; each tensor is where the index says. Throws as above, and not_found when the folder has
// neither.
std::map<std::string, TensorLocation> read_checkpoint_index(const std::filesystem::path& model_dir);

}  // namespace rft::text
