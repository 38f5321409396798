// GPT-2: layer norms, learned positions, one matrix for queries, keys and values, and matrices stored
// (in, out).
#include <cmath>

#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"

namespace rft::engine {
namespace {

WeightNames gpt2_names() {
  WeightNames names;
  names.prefix = "transformer.";
  names.other_prefixes = {""};
  names.embedding = "wte";
  names.positions = "wpe";
  names.final_norm = "ln_f";
  names.layers = "h.";
  names.attention_norm = "ln_1";
  names.q = names.k = names.v = "";
  names.qkv = "attn.c_attn";
  names.o = "attn.c_proj";
  names.mlp_norm = "ln_2";
  names.gate = "";
  names.up = "mlp.c_fc";
  names.down = "mlp.c_proj";
  names.matrices_are_transposed = true;
  names.ignored_endings = {".attn.bias", ".attn.masked_bias"};  // old buffers
  return names;
}

void read_attention(const ConfigReader& json, ModelConfig& config) {
  const double scale =
      json.flag_or("scale_attn_weights", true) ? 1 / std::sqrt(static_cast<double>(config.head_dim)) : 1;
  const bool by_layer = json.flag_or("scale_attn_by_inverse_layer_idx", false);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    config.layers.push_back({.positions = PositionEmbedding::none,
                             .attention_scale = by_layer ? scale / static_cast<double>(i + 1) : scale});
  }
  json.only("add_cross_attention", false);
}

}  // namespace

void read_gpt2(const ConfigReader& json, ModelConfig& config) {
  config.vocab_size = json.integer("vocab_size");
  config.hidden_size = json.integer("n_embd");
  config.num_layers = json.layer_count("n_layer");
  config.num_heads = config.num_kv_heads = json.integer("n_head");
  if (config.num_heads <= 0 || config.hidden_size % config.num_heads != 0)
    json.refuse("n_embd is not a multiple of n_head");
  config.head_dim = config.hidden_size / config.num_heads;
  config.intermediate_size = json.integer_or("n_inner", 4 * config.hidden_size);
  config.max_positions = json.integer_or("n_positions", 1024);
  // Other names for the same, which win in `transformers`.
  json.only("hidden_size", config.hidden_size);
  json.only("num_hidden_layers", config.num_layers);
  json.only("num_attention_heads", config.num_heads);
  json.only("max_position_embeddings", config.max_positions);
  config.norm = NormType::layer_norm;
  config.norm_eps = json.number_or("layer_norm_epsilon", 1e-5);
  config.initializer_range = json.number_or("initializer_range", 0.02);
  config.activation = read_activation(json, "activation_function", "gelu_new");
  config.gated_mlp = false;
  config.attention_bias = config.attention_output_bias = config.mlp_bias = true;
  config.tie_word_embeddings = json.flag_or("tie_word_embeddings", true);
  config.eos_token_ids = {50256};
  config.names = gpt2_names();
  read_attention(json, config);
}

}  // namespace rft::engine
