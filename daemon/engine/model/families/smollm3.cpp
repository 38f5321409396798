// SmolLM3: Llama whose every fourth layer has no rotary embedding.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {
namespace {

// no_rope_layers holds, against its name, 1 for the layers that rotate.
void read_rotated_layers(const ConfigReader& json, ModelConfig& config) {
  const int64_t interval = json.integer_or("no_rope_layer_interval", 4);
  if (interval <= 0) json.refuse("no_rope_layer_interval must be positive");
  const bool has_list = json.has("no_rope_layers");
  const std::vector<double> rotates = has_list ? json.numbers("no_rope_layers") : std::vector<double>();
  if (has_list && static_cast<int64_t>(rotates.size()) < config.num_layers)
    json.refuse("no_rope_layers must have an entry for each layer");
  config.layers.resize(static_cast<size_t>(config.num_layers));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const bool is_rotated = has_list ? rotates[i] != 0 : (static_cast<int64_t>(i) + 1) % interval != 0;
    if (!is_rotated) config.layers[i].positions = PositionEmbedding::none;
  }
}

}  // namespace

void read_smollm3(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(
      json, config,
      {.num_kv_heads = 4, .max_positions = 32768, .tie_word_embeddings = true, .eos_token_ids = {128001}});
  read_attention_bias(json, config);
  config.mlp_bias = json.flag_or("mlp_bias", false);
  config.rope = read_rope(json, config, 2000000);
  read_rotated_layers(json, config);
  const int64_t window = json.flag_or("use_sliding_window", false) ? read_window(json, 0) : 0;
  read_windows(json, config, window, [&](int64_t layer) {
    return window > 0 && config.layer(layer).positions == PositionEmbedding::none;
  });
}

}  // namespace rft::engine
