// Phi-3 (3.5 and 4-mini too): Llama with fused matrices, of whose heads perhaps only a part is rotated, and
// with longrope.
#include <cmath>

#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {
namespace {

void read_longrope(const ConfigReader& scaling, const ConfigReader& json, const ModelConfig& config,
                   RopeConfig& rope) {
  rope.type = RopeType::longrope;
  rope.short_factors = scaling.numbers("short_factor");
  rope.long_factors = scaling.numbers("long_factor");
  const auto num_pairs = static_cast<size_t>(rope.width / 2);
  if (rope.short_factors.size() != num_pairs || rope.long_factors.size() != num_pairs)
    json.refuse("short_factor and long_factor must have " + std::to_string(num_pairs) + " numbers each");
  rope.original_max_positions = json.integer_or("original_max_position_embeddings", 4096);
  if (rope.original_max_positions <= 1) json.refuse("original_max_position_embeddings is out of range");
  const auto original = static_cast<double>(rope.original_max_positions);
  const double factor = scaling.number_or("factor", static_cast<double>(config.max_positions) / original);
  rope.attention_factor = scaling.number_or(
      "attention_factor", factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original)));
}

RopeConfig read_phi3_rope(const ConfigReader& json, const ModelConfig& config) {
  const ConfigReader scaling = rope_object(json);
  RopeConfig rope;
  rope.theta = scaling.number_or("rope_theta", json.number_or("rope_theta", 10000));
  if (rope.theta <= 0) json.refuse("rope_theta must be positive");
  const double part = scaling.number_or("partial_rotary_factor", json.number_or("partial_rotary_factor", 1));
  rope.width = static_cast<int64_t>(static_cast<double>(config.head_dim) * part);
  if (rope.width < 2 || rope.width > config.head_dim || rope.width % 2 != 0)
    json.refuse("partial_rotary_factor rotates no even part of a head");
  const char* type_key = scaling.has("rope_type") ? "rope_type" : "type";
  const std::string type = scaling.text_or(type_key, "default");
  // Older checkpoints call it su or yarn.
  if (type == "longrope" || type == "su" || type == "yarn")
    read_longrope(scaling, json, config, rope);
  else if (type != "default")
    scaling.is_unsupported(type_key);
  return rope;
}

}  // namespace

void read_phi3(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(json, config, {.max_positions = 4096, .norm_eps = 1e-5, .eos_token_ids = {32000}});
  config.rope = read_phi3_rope(json, config);
  config.names.q = config.names.k = config.names.v = config.names.gate = config.names.up = "";
  config.names.qkv = "self_attn.qkv_proj";
  config.names.gate_up = "mlp.gate_up_proj";
  if (const int64_t window = read_window(json, 0); window > 0)
    config.layers.assign(static_cast<size_t>(config.num_layers), {.window = window});
}

}  // namespace rft::engine
