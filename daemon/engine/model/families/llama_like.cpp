#include "engine/model/families/llama_like.h"

namespace rft::engine {

void read_llama_like(const ConfigReader& json, ModelConfig& config, const LlamaDefaults& defaults) {
  const auto integer = [&](const char* key, int64_t fallback) {
    return fallback > 0 ? json.integer_or(key, fallback) : json.integer(key);
  };
  config.vocab_size = integer("vocab_size", defaults.vocab_size);
  config.hidden_size = json.integer("hidden_size");
  config.intermediate_size = json.integer("intermediate_size");
  config.num_layers = json.layer_count("num_hidden_layers");
  config.num_heads = integer("num_attention_heads", defaults.num_heads);
  if (config.num_heads <= 0) json.refuse("num_attention_heads is out of range");
  const bool silent = !json.mentions("num_key_value_heads") && defaults.num_kv_heads > 0;
  config.num_kv_heads =
      json.integer_or("num_key_value_heads", silent ? defaults.num_kv_heads : config.num_heads);
  config.head_dim = json.integer_or(
      "head_dim", defaults.head_dim > 0 ? defaults.head_dim : config.hidden_size / config.num_heads);
  config.max_positions = json.integer_or("max_position_embeddings", defaults.max_positions);
  config.norm_eps = json.number_or("rms_norm_eps", defaults.norm_eps);
  config.initializer_range = json.number_or("initializer_range", config.initializer_range);
  config.tie_word_embeddings = json.flag_or("tie_word_embeddings", defaults.tie_word_embeddings);
  config.activation = read_activation(json, defaults.activation_key, defaults.activation);
  config.eos_token_ids = defaults.eos_token_ids;
}

void read_attention_bias(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.flag_or("attention_bias", false);
}

Activation read_activation(const ConfigReader& json, const char* key, const std::string& fallback) {
  const std::string name = json.text_or(key, fallback);
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  if (name != "silu" && name != "swish") json.is_unsupported(key);
  return Activation::silu;
}

int64_t read_window(const ConfigReader& json, int64_t fallback) {
  if (!json.mentions("sliding_window")) return fallback;
  const int64_t window = json.integer_or("sliding_window", 0);
  if (window < (json.has("sliding_window") ? 1 : 0)) json.refuse("sliding_window must be positive, or null");
  return window;
}

void read_windows(const ConfigReader& json, ModelConfig& config, int64_t window,
                  const std::function<bool(int64_t)>& slides) {
  const bool has_types = json.has("layer_types");
  const std::vector<std::string> types = has_types ? json.texts("layer_types") : std::vector<std::string>();
  if (has_types && static_cast<int64_t>(types.size()) != config.num_layers)
    json.refuse("layer_types must have one entry for each layer");
  config.layers.resize(static_cast<size_t>(config.num_layers));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const bool slides_here = has_types ? types[i] == "sliding_attention" : slides(static_cast<int64_t>(i));
    if (has_types && !slides_here && types[i] != "full_attention") return json.is_unsupported("layer_types");
    if (!slides_here) continue;
    if (window <= 0) json.refuse("a layer slides, but there is no sliding_window");
    config.layers[i].window = window;
  }
}

}  // namespace rft::engine
