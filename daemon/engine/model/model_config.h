// What a Hugging Face config.json says about a decoder, in one plain struct. The families differ by these
// switches and by the names of their weights, not by their code; families/ fills them in. A key that asks for
// what the engine does not do is named in `unsupported`, and such a model is refused, never approximated.
// Needs no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/model/weight_names.h"

namespace rft::engine {

enum class RopeType { plain, linear, llama3, dynamic, yarn, longrope };

// Rotary position embedding: angle of pair i at position p is p · theta^(−2i/width), frequencies rescaled as
// `type` says, cosines and sines multiplied by `attention_factor`.
struct RopeConfig {
  RopeType type = RopeType::plain;
  double theta = 10000;
  double factor = 1;                                 // all but plain and longrope
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_positions = 0;                // llama3, dynamic, yarn, longrope: as first trained
  double beta_fast = 32, beta_slow = 1;              // yarn
  bool truncate = true;                              // yarn
  double attention_factor = 1;                       // yarn, longrope
  std::vector<double> short_factors, long_factors;   // longrope: (width/2) each
  int64_t width = 0;                                 // the first elements of a head that are rotated; 0: all
};

enum class NormType {
  rms,           // x / rms(x) · weight
  rms_plus_one,  // x / rms(x) · (1 + weight)
  layer_norm,    // with mean and bias
};

enum class Activation { silu, gelu, gelu_tanh };

enum class PositionEmbedding { rope, local_rope, none };

// What may differ from layer to layer.
struct LayerSwitches {
  int64_t window = 0;  // a token sees itself and window − 1 before it; 0: all before it
  PositionEmbedding positions = PositionEmbedding::rope;
  double attention_scale = 0;  // of the scores; 0: 1/√head_dim
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  std::string family;        // "llama"; empty for one that the engine does not know
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
  NormType norm = NormType::rms;
  Activation activation = Activation::silu;
  bool gated_mlp = true;               // down(act(gate(x)) · up(x)), else down(act(up(x)))
  bool attention_bias = false;         // on q, k and v
  bool attention_output_bias = false;  // on o
  bool mlp_bias = false;               // on gate, up and down
  bool qk_norm_is_per_head = true;     // else over all heads at once; either way only where they have names
  double attention_softcap = 0;        // c · tanh(scores / c); 0: off
  double logits_softcap = 0;           // the same of the logits
  double embedding_multiplier = 1;
  bool rounds_embedding_multiplier = false;  // to the compute dtype, before it multiplies
  double residual_multiplier = 1;            // of what a branch adds to the residual stream
  double logits_divisor = 1;
  bool tie_word_embeddings = false;
  RopeConfig rope;
  std::optional<RopeConfig> local_rope;  // of the layers with PositionEmbedding::local_rope
  std::vector<LayerSwitches> layers;     // by layer; empty: all as they are by default
  WeightNames names;
  std::string stored_dtype;  // "float32", "bfloat16", "float16", or empty where config.json is silent
  std::vector<int64_t> eos_token_ids;  // any of them ends a completion; may be empty

  LayerSwitches layer(int64_t i) const {
    return layers.empty() ? LayerSwitches{} : layers.at(static_cast<size_t>(i));
  }
};

struct ParsedModelConfig {
  ModelConfig config;
  std::vector<std::string> unsupported;  // "KEY = VALUE" for each thing that the engine does not do
};

// Reads config.json's object; `generation_config` (may be null) wins for the ends of sequence. Throws
// Error(invalid_argument) for a missing or senseless key.
ParsedModelConfig parse_model_config(const Json& config, const Json& generation_config);

// Reads config.json and, if there is one, generation_config.json of a model folder; and the names in its
// weight files where a family's checkpoints differ in them. Throws Error(not_found) without config.json, else
// as above.
ParsedModelConfig read_model_config(const std::filesystem::path& model_dir);

// The config.json of a Llama made here, in the words that `transformers` reads.
Json to_config_json(const ModelConfig& config);

// A weight that a checkpoint of a configuration holds.
struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;  // as the engine has it: (out, in) for a matrix
  bool stored_transposed = false;

  std::vector<int64_t> stored_shape() const;
};

// All of them, in a fixed order; a tied lm_head is absent.
std::vector<WeightSpec> expected_weights(const ModelConfig& config);

}  // namespace rft::engine
