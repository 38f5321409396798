// Granite: Llama with four multipliers.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {

void read_granite(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(json, config, {.eos_token_ids = {2}});
  read_attention_bias(json, config);
  config.mlp_bias = json.flag_or("mlp_bias", false);
  config.rope = read_rope(json, config, 10000);
  config.embedding_multiplier = json.number_or("embedding_multiplier", 1);
  config.residual_multiplier = json.number_or("residual_multiplier", 1);
  config.logits_divisor = json.number_or("logits_scaling", 1);
  const double scale = json.number_or("attention_multiplier", 1);
  if (scale == 0 || config.logits_divisor == 0)
    json.refuse("attention_multiplier and logits_scaling cannot be 0");
  config.layers.assign(static_cast<size_t>(config.num_layers), {.attention_scale = scale});
}

}  // namespace rft::engine
