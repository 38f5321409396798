// Llama 2 and 3, SmolLM2, and all that was made in their image: the family that the defaults describe.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {

void read_llama(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(json, config, {.eos_token_ids = {2}});
  read_attention_bias(json, config);
  config.mlp_bias = json.flag_or("mlp_bias", false);
  config.rope = read_rope(json, config, 10000);
}

}  // namespace rft::engine
