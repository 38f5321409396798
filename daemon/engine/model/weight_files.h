// Tensors in and out of safetensors files. Neither direction holds a second copy of a model: what must be
// converted is converted a tensor at a time.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/model/named_tensor.h"

namespace rft::engine {

// Every tensor of one file, in its stored dtype and order, as a view of the mapped file: to be read, never
// written, in memory that the kernel can take back. For files that nobody else writes (one that shrinks
// meanwhile ends the process). Throws Error(invalid_argument) for a malformed file, Error(unsupported) for a
// dtype without a counterpart in ATen.
std::vector<NamedTensor> map_tensors(const std::filesystem::path& file);

// Writes one safetensors file, each tensor as `dtype`, or without one in its own, and those that are
// `carried` in their own always: to a temporary name, synced, renamed.
void write_tensors(const std::filesystem::path& file, std::span<const NamedTensor> tensors,
                   std::optional<at::ScalarType> dtype = std::nullopt,
                   std::span<const NamedTensor> carried = {});

// The weights that `config` needs, as contiguous float32 on `device`, in the order and the shapes of
// expected_weights().
// Throws as check_weights() does, and Error(unsupported) for what it lists.
std::vector<NamedTensor> load_weights(const ModelConfig& config, const std::filesystem::path& model_dir,
                                      at::Device device);

// The weights that are no part of the decoder but of its model folder, as they are stored.
std::vector<NamedTensor> load_carried_weights(const ModelConfig& config,
                                              const std::filesystem::path& model_dir);

}  // namespace rft::engine
