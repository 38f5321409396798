// What a Hugging Face config.json says about a decoder, in one plain struct. The families differ by their
// switches, not by their code; a key that asks for what the engine does not do is named in `unsupported`, and
// such a model is refused, never approximated. Needs no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::engine {

enum class RopeType { plain, linear, llama3 };

// Rotary position embedding: angle of pair i at position p is p · base^(−2i/head_dim), frequencies rescaled
// as `type` says.
struct RopeConfig {
  RopeType type = RopeType::plain;
  double theta = 10000;
  double factor = 1;                                 // linear, llama3
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_positions = 0;                // llama3
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 0;
  double norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool attention_bias = false;  // on q, k, v and o
  bool mlp_bias = false;        // on gate, up and down
  bool tie_word_embeddings = false;
  RopeConfig rope;
  std::string stored_dtype;  // "float32", "bfloat16", "float16", or empty where config.json is silent
  std::vector<int64_t> eos_token_ids;  // any of them ends a completion; may be empty
};

struct ParsedModelConfig {
  ModelConfig config;
  std::vector<std::string> unsupported;  // "KEY = VALUE" for each thing that the engine does not do
};

// Reads config.json's object; `generation_config` (may be null) wins for the ends of sequence. Throws
// Error(invalid_argument) for a missing or senseless key.
ParsedModelConfig parse_model_config(const Json& config, const Json& generation_config);

// Reads config.json and, if there is one, generation_config.json of a model folder. Throws
// Error(not_found) without config.json, else as above.
ParsedModelConfig read_model_config(const std::filesystem::path& model_dir);

// The config.json of a model made here, in the words that `transformers` reads.
Json to_config_json(const ModelConfig& config);

// The weights that a checkpoint of this configuration holds, with their shapes; a tied lm_head is absent.
struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;
};
std::vector<WeightSpec> expected_weights(const ModelConfig& config);

}  // namespace rft::engine
