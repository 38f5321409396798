// The factors of a LoRA adapter as tensors, and the PEFT folder that holds them:
//
//   DIR/adapter_config.json          rank, alpha, targets, the base's name
//   DIR/adapter_model.safetensors    A and B of each adapted linear under PEFT's keys, float32
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/model/lora_config.h"
#include "engine/model/named_tensor.h"

namespace rft::engine {

struct LoraAdapter {
  LoraConfig config;
  std::vector<NamedTensor> factors;  // A (rank, in), then B (out, rank) of each linear, float32

  LoraAdapter clone() const;
};

// One that changes nothing yet, as PEFT makes it: A from U(−1/√in, 1/√in), which is Kaiming's with a = √5, B
// zero. A function of the seed alone. Throws as find_linears.
LoraAdapter new_adapter(const ModelConfig& model, const LoraConfig& config, uint64_t seed);

// Throws as check_adapter.
LoraAdapter read_adapter(const std::filesystem::path& dir, const ModelConfig& model);

// Makes the folder `dir`, which must not exist, whole or not at all. Throws Error(conflict) when it does,
// Error(io).
void write_adapter(const LoraAdapter& adapter, const ModelConfig& model, const std::string& base,
                   const std::filesystem::path& dir);

}  // namespace rft::engine
