// OLMo 2: norms behind attention and feed-forward instead of before them, and over all queries and all keys.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {

void read_olmo2(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(json, config, {.norm_eps = 1e-5, .eos_token_ids = {50279}});
  read_attention_bias(json, config);
  config.rope = read_rope(json, config, 10000);
  config.qk_norm_is_per_head = false;
  config.names.q_norm = "self_attn.q_norm";
  config.names.k_norm = "self_attn.k_norm";
  config.names.attention_norm = config.names.mlp_norm = "";
  config.names.attention_output_norm = "post_attention_layernorm";
  config.names.mlp_output_norm = "post_feedforward_layernorm";
}

}  // namespace rft::engine
