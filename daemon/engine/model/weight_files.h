// Tensors in and out of safetensors files.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/model/named_tensor.h"

namespace rft::engine {

// Every tensor of one file, in its stored dtype, on the CPU, in the order of the file. Throws
// Error(invalid_argument) for a malformed file, Error(unsupported) for a dtype without a counterpart in ATen.
std::vector<NamedTensor> read_tensors(const std::filesystem::path& file);

// Writes one safetensors file, each tensor in its own dtype: to a temporary name, synced, renamed.
void write_tensors(const std::filesystem::path& file, std::span<const NamedTensor> tensors);

// The weights that `config` needs, as contiguous float32 on `device`, in the order and the shapes of
// expected_weights().
// Throws as check_weights() does, and Error(unsupported) for what it lists.
std::vector<NamedTensor> load_weights(const ModelConfig& config, const std::filesystem::path& model_dir,
                                      at::Device device);

// The weights that are no part of the decoder but of its model folder, as they are stored.
std::vector<NamedTensor> load_carried_weights(const ModelConfig& config,
                                              const std::filesystem::path& model_dir);

}  // namespace rft::engine
