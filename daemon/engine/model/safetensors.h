// The weight files of a model: what the engine adds to text::read_safetensors_header, which reads and checks
// one file's header. Needs no LibTorch.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "text/safetensors_header.h"

namespace rft::engine {

using text::read_safetensors_header;
using text::StoredTensor;

// How many numbers a tensor of this shape has.
int64_t element_count(const std::vector<int64_t>& shape);
// "32 x 61", for messages.
std::string shape_text(const std::vector<int64_t>& shape);

// A safetensors header, its length included and padded to 8, for tensors of these names, dtypes and shapes
// whose bytes follow in this order; `begin` and `num_bytes` are filled in.
std::string make_safetensors_header(std::span<StoredTensor> tensors);

struct WeightFile {
  std::filesystem::path path;
  std::vector<StoredTensor> tensors;
};

// The weight files of a model folder: model.safetensors, or the shards that model.safetensors.index.json
// names, checked against the index. Throws as read_safetensors_header, and Error(not_found) when there are
// none, with the way to make some where the folder holds weights in another format.
std::vector<WeightFile> list_weight_files(const std::filesystem::path& model_dir);

}  // namespace rft::engine
