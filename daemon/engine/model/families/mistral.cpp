// Mistral: Llama with a window over all layers, which null turns off.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {

void read_mistral(const ConfigReader& json, ModelConfig& config) {
  read_llama_like(json, config, {.num_kv_heads = 8, .max_positions = 4096 * 32, .eos_token_ids = {2}});
  config.rope = read_rope(json, config, 10000);
  if (json.has("layer_types")) json.is_unsupported("layer_types");  // of its successors
  if (const int64_t window = read_window(json, 4096); window > 0)
    config.layers.assign(static_cast<size_t>(config.num_layers), {.window = window});
}

}  // namespace rft::engine
