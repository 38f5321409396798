// What most families have in common: the keys that Llama introduced, which they kept, with other defaults.
#pragma once

#include <functional>

#include "engine/model/config_reader.h"
#include "engine/model/model_config.h"

namespace rft::engine {

// What an absent key means to a family's configuration class in `transformers`.
struct LlamaDefaults {
  int64_t vocab_size = 0;    // 0: the key must be there
  int64_t num_heads = 0;     // 0: the key must be there
  int64_t num_kv_heads = 0;  // 0: as many as attention heads, which null means to every family
  int64_t head_dim = 0;      // 0: hidden_size / num_attention_heads
  int64_t max_positions = 2048;
  double norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  std::vector<int64_t> eos_token_ids;
  const char* activation_key = "hidden_act";
  const char* activation = "silu";
};

// Sizes, norm, activation and tied embeddings. Not the rotary embedding, biases and windows.
void read_llama_like(const ConfigReader& json, ModelConfig& config, const LlamaDefaults& defaults);

// Every family but Llama has a bias on all of attention's matrices or on none, by this key.
void read_attention_bias(const ConfigReader& json, ModelConfig& config);

// The activation by the name that `transformers` has for it.
Activation read_activation(const ConfigReader& json, const char* key, const std::string& fallback);

// sliding_window; an absent key means `fallback`, null means 0: no window.
int64_t read_window(const ConfigReader& json, int64_t fallback);

// Gives the layers that slide a window of so many tokens: those that `layer_types` names, else,
// without that key, those that `slides` says.
void read_windows(const ConfigReader& json, ModelConfig& config, int64_t window,
                  const std::function<bool(int64_t)>& slides);

}  // namespace rft::engine
