// The safetensors format: a little-endian 64-bit length, a JSON header of that length, and the tensors' bytes
// one after another. Reading is strict (an overlap, a hole, a size that does not match its shape, a key given
// twice or a file that is too long is an error), since checkpoints come from strangers. Needs no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace rft::engine {

struct StoredTensor {
  std::string name;
  std::string dtype;           // "F32", "BF16", "F16", "I64", …
  std::vector<int64_t> shape;  // empty: a scalar
  uint64_t begin = 0;          // of its bytes, from the start of the file
  uint64_t num_bytes = 0;
};

// The tensors of one file in the order of their bytes, read from its header alone. Throws
// Error(invalid_argument) that names the file and what is wrong, Error(io) when it cannot be read.
std::vector<StoredTensor> read_safetensors_header(const std::filesystem::path& file);

// Header bytes, length included and padded to 8, for tensors of these names, dtypes and shapes whose bytes
// follow in this order; `begin` and `num_bytes` are filled in.
std::string make_safetensors_header(std::span<StoredTensor> tensors);

struct WeightFile {
  std::filesystem::path path;
  std::vector<StoredTensor> tensors;
};

// The weight files of a model folder: model.safetensors, or the shards that model.safetensors.index.json
// names, checked against the index. Throws as above, and Error(not_found) when there are none, with the way
// to make some where the folder holds weights in another format.
std::vector<WeightFile> list_weight_files(const std::filesystem::path& model_dir);

}  // namespace rft::engine
