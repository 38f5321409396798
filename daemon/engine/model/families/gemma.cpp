// Gemma 2 and Gemma 3 (its text part): norms that multiply with 1 + weight, before and behind attention and
// feed-forward, scaled embeddings, windows in some layers. 2 caps scores and logits, 3 norms queries and keys
// and has a rotary embedding of its own where it slides.
#include <cmath>

#include "engine/model/families/families.h"
#include "engine/model/families/llama_like.h"
#include "engine/model/read_rope.h"

namespace rft::engine {
namespace {

void read_gemma(const ConfigReader& json, ModelConfig& config, int64_t vocab_size, int64_t max_positions,
                const std::function<bool(int64_t)>& slides) {
  read_llama_like(json, config,
                  {.vocab_size = vocab_size,
                   .num_heads = 8,
                   .num_kv_heads = 4,
                   .head_dim = 256,
                   .max_positions = max_positions,
                   .tie_word_embeddings = true,
                   .eos_token_ids = {1},
                   .activation_key = "hidden_activation",
                   .activation = "gelu_pytorch_tanh"});
  read_attention_bias(json, config);
  json.only("use_bidirectional_attention", false);
  config.norm = NormType::rms_plus_one;
  config.embedding_multiplier = std::sqrt(static_cast<double>(config.hidden_size));
  config.rounds_embedding_multiplier = true;
  read_windows(json, config, read_window(json, 4096), slides);
  const double scalar = json.number_or("query_pre_attn_scalar", 256);
  if (scalar <= 0) json.refuse("query_pre_attn_scalar must be positive");
  for (LayerSwitches& layer : config.layers) layer.attention_scale = 1 / std::sqrt(scalar);
  config.names.attention_output_norm = "post_attention_layernorm";
  config.names.mlp_norm = "pre_feedforward_layernorm";
  config.names.mlp_output_norm = "post_feedforward_layernorm";
}

// An absent key has a default, null is off.
double cap_or(const ConfigReader& json, const char* key, double fallback) {
  if (json.has(key) && json.number(key) <= 0) json.refuse(std::string(key) + " must be positive, or null");
  return json.mentions(key) ? json.number_or(key, 0) : fallback;
}

// Newer configurations hold one object for each kind of layer, and an older one is merged into them by
// `transformers`, which then overlooks `type`, `truncate`, and a length first trained with that stands
// beside.
void read_gemma3_rope(const ConfigReader& json, ModelConfig& config) {
  const bool is_newer = json.has("rope_parameters");
  const ConfigReader both = json.object("rope_parameters");
  const ConfigReader full = is_newer ? both.object("full_attention") : json.object("rope_scaling");
  const ConfigReader sliding = both.object("sliding_attention");
  if (is_newer) json.only("rope_scaling", Json::object());
  if (!is_newer && !full.has("rope_type")) full.only("type", "default");
  json.only("original_max_position_embeddings", nullptr);
  full.only("truncate", true);
  sliding.only("truncate", true);
  ModelConfig of_sliding = config;  // dynamic scaling raises max_positions for the layers that see everything
  config.local_rope = read_rope(sliding, json, of_sliding, 10000);
  config.local_rope->theta = sliding.number_or("rope_theta", json.number_or("rope_local_base_freq", 10000));
  config.rope = read_rope(full, json, config, 1000000);
}

}  // namespace

void read_gemma2(const ConfigReader& json, ModelConfig& config) {
  read_gemma(json, config, 256000, 8192, [](int64_t layer) { return layer % 2 == 0; });
  config.rope = read_rope(json, config, 10000);
  config.attention_softcap = cap_or(json, "attn_logit_softcapping", 50);
  config.logits_softcap = cap_or(json, "final_logit_softcapping", 30);
}

void read_gemma3(const ConfigReader& json, ModelConfig& config) {
  const int64_t pattern = json.integer_or("sliding_window_pattern", 6);
  if (pattern <= 0) json.refuse("sliding_window_pattern must be positive");
  read_gemma(json, config, 262208, 131072, [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  read_gemma3_rope(json, config);
  json.only("attn_logit_softcapping", nullptr);  // `transformers` reads it, and caps nothing
  config.logits_softcap = cap_or(json, "final_logit_softcapping", 0);
  config.names.q_norm = "self_attn.q_norm";
  config.names.k_norm = "self_attn.k_norm";
  for (LayerSwitches& layer : config.layers)
    if (layer.window > 0) layer.positions = PositionEmbedding::local_rope;
}

// Text alone goes through the decoder, so the vision tower is only carried along.
void read_gemma3_with_vision(const ConfigReader& json, ModelConfig& config) {
  const ConfigReader text = json.object("text_config");
  read_gemma3(text, config);
  text.only("final_logit_softcapping", nullptr);  // `transformers` caps only the logits of the text model
  config.tie_word_embeddings = json.flag_or("tie_word_embeddings", config.tie_word_embeddings);
  config.names.prefix = "model.language_model.";
  config.names.other_prefixes = {"language_model.model."};
  config.names.carried_prefixes = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                                   "model.multi_modal_projector."};
}

}  // namespace rft::engine
