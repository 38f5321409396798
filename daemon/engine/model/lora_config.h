// A LoRA adapter as configuration (Hu et al., 2021): which of a model's linears W have a pair of low-rank
// factors beside them, so that W + scale · B·A is computed, and how PEFT's adapter_config.json tells it.
// Needs no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/model/model_config.h"

namespace rft::engine {

struct LoraConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;               // rank-stabilised (Kalajdzievski, 2023)
  std::vector<std::string> targets;  // modules by the end of their names, or "all-linear"

  double scale() const;  // alpha / rank, or alpha / √rank
};

// A linear of the model's layers: its weight is NAME.weight.
struct LinearSpec {
  std::string name;
  int64_t out = 0, in = 0;
};

// The linears of the model that `targets` name, in the order of the checkpoint: a target is a module's name
// or the end of one, as in PEFT, and "all-linear" means every linear of the layers. Throws
// Error(invalid_argument, field "targets") for one that names none, with those that there are.
std::vector<LinearSpec> find_linears(const ModelConfig& config, const std::vector<std::string>& targets);

// What PEFT calls the factors of a linear: A (rank, in), B (out, rank).
std::string lora_a_key(const WeightNames& names, const std::string& linear);
std::string lora_b_key(const WeightNames& names, const std::string& linear);

// The adapter in PEFT's folder `dir`, checked against the model by its headers; its targets are the linears
// that it holds factors for. Throws Error(not_found) where a file is missing, Error(unsupported) for what
// PEFT can do and the engine cannot, by key, and Error(invalid_argument) for a malformed file or another
// model's adapter.
LoraConfig check_adapter(const std::filesystem::path& dir, const ModelConfig& config);

// adapter_config.json; `base` is the model's name or folder.
Json to_adapter_config_json(const LoraConfig& lora, const ModelConfig& config, const std::string& base);

}  // namespace rft::engine
