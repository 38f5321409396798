// Qwen2 (2.5 too): Llama with a bias on queries, keys and values. Qwen3: without it, with a norm over each
// head's query and key. Both slide in their later layers where use_sliding_window says so.
#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {
namespace {

void read_qwen(const ConfigReader& json, ModelConfig& config, int64_t head_dim) {
  read_llama_like(json, config, {.num_kv_heads = 32, .head_dim = head_dim, .max_positions = 32768});
  config.rope = read_rope(json, config, 10000);
  const bool slides = json.flag_or("use_sliding_window", false);
  const int64_t window = slides ? read_window(json, 4096) : 0;
  const int64_t num_full = json.integer_or("max_window_layers", 28);
  read_windows(json, config, window, [&](int64_t layer) { return window > 0 && layer >= num_full; });
}

}  // namespace

void read_qwen2(const ConfigReader& json, ModelConfig& config) {
  read_qwen(json, config, 0);
  config.attention_bias = true;
}

void read_qwen3(const ConfigReader& json, ModelConfig& config) {
  read_qwen(json, config, 128);
  read_attention_bias(json, config);
  config.names.q_norm = "self_attn.q_norm";
  config.names.k_norm = "self_attn.k_norm";
}

}  // namespace rft::engine
