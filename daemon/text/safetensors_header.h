// What a safetensors file holds, read from its header alone and checked as the format demands: unique keys,
// every byte of the data in exactly one tensor, sizes that follow from dtype and shape. Whoever reads the
// tensors' bytes afterwards may trust the offsets.
//
// Threading: a free function, no shared state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rft::text {

struct StoredTensor {
  std::string name;
  std::string dtype;           // "F32", "BF16", "F16", "I64", …
  std::vector<int64_t> shape;  // empty: a scalar; an extent may be 0
  uint64_t begin = 0;          // of its bytes, from the start of the file
  uint64_t num_bytes = 0;
};

// The tensors of one file in the order of their bytes. Throws Error(invalid_argument) that names the file and
// what is wrong, Error(io) when it cannot be read.
std::vector<StoredTensor> read_safetensors_header(const std::filesystem::path& file);

}  // namespace rft::text
