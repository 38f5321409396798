#include "engine/model/token_memory.h"

#include <algorithm>
#include <string>

namespace rft::engine {
namespace {

constexpr int64_t kFloat = 4, kBfloat16 = 2;  // bytes
constexpr int64_t kActivationBudget = int64_t{2} << 30;
constexpr int64_t kChunkLogits = int64_t{1} << 22;
constexpr int64_t kMinChunkRows = 128;
// What sizes the batches of models whose tokens take more in longer sequences.
constexpr int64_t kTypicalLength = 512;

int64_t query_width(const ModelConfig& config) { return config.num_heads * config.head_dim; }
int64_t key_width(const ModelConfig& config) { return config.num_kv_heads * config.head_dim; }

// Of a norm of one element. Fused it keeps its input, else an RMS norm also the same before the weight.
int64_t norm_floats(const ModelConfig& config, const ComputeMode& mode, const std::string& name) {
  if (name.empty()) return 0;
  return mode.fused || config.norm == NormType::layer_norm ? 1 : 2;
}

int64_t norms_floats(const ModelConfig& config, const ComputeMode& mode) {
  const auto norm = [&](const std::string& name) { return norm_floats(config, mode, name); };
  const WeightNames& names = config.names;
  return config.hidden_size * (norm(names.attention_norm) + norm(names.attention_output_norm) +
                               norm(names.mlp_norm) + norm(names.mlp_output_norm)) +
         query_width(config) * norm(names.q_norm) + key_width(config) * norm(names.k_norm);
}

// Queries, keys, values, what was attended to, and the scale of its scores. Soft-capped attention repeats
// keys and values for each query head, and has all scores, twice.
int64_t attention_floats(const ModelConfig& config, int64_t length) {
  const int64_t Q = query_width(config), K = key_width(config);
  const int64_t whole_qkv = config.names.qkv.empty() ? 0 : Q + K;  // the values are a view of all three
  if (config.attention_softcap > 0) return whole_qkv + 4 * Q + 2 * config.num_heads * length;
  return whole_qkv + 2 * Q + 2 * K + config.num_heads;
}

bool fuses_feed_forward(const ModelConfig& config, const ComputeMode& mode) {
  return mode.fused && config.gated_mlp && config.activation == Activation::silu &&
         config.names.gate_up.empty();
}

// Gate and up, and unless fused what the gate becomes.
int64_t feed_forward_floats(const ModelConfig& config, const ComputeMode& mode) {
  const int64_t tensors = !config.gated_mlp ? 1 : fuses_feed_forward(config, mode) ? 2 : 3;
  return tensors * config.intermediate_size;
}

// The inputs of matrix products: of q, k and v; of o, which attention keeps anyway; of gate and up; of down.
// In bfloat16 each product keeps a rounded copy of its own.
int64_t product_inputs_bytes(const ModelConfig& config, const ComputeMode& mode) {
  const int64_t H = config.hidden_size, I = config.intermediate_size;
  if (!mode.bfloat16) return kFloat * (2 * H + I);
  const int64_t products =
      (config.names.qkv.empty() ? 3 : 1) + (config.gated_mlp && config.names.gate_up.empty() ? 2 : 1);
  return kBfloat16 * (products * H + query_width(config) + I);
}

// What one layer keeps of a token, in a sequence of `length`, for its backward pass.
int64_t layer_token_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t length) {
  return kFloat * (norms_floats(config, mode) + attention_floats(config, length) +
                   feed_forward_floats(config, mode)) +
         product_inputs_bytes(config, mode);
}

// Attention through a window keeps its mask as floats, once for a whole batch.
int64_t mask_bytes(const ModelConfig& config, const LayerSwitches& layer, int64_t length) {
  const bool masked = layer.window > 0 && length > layer.window && config.attention_softcap == 0;
  return masked ? kFloat * length * length : 0;
}

int64_t masks_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t length) {
  int64_t sum = 0, largest = 0;
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const int64_t bytes = mask_bytes(config, config.layer(i), length);
    sum += bytes;
    largest = std::max(largest, bytes);
  }
  return mode.checkpointing ? largest : sum;
}

// The final norm's input and output, the states that predict a token, and the slopes of both.
int64_t trunk_token_bytes(const ModelConfig& config) { return kFloat * 6 * config.hidden_size; }

int64_t kept_token_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t length) {
  const int64_t layer =
      mode.checkpointing ? kFloat * config.hidden_size : layer_token_bytes(config, mode, length);
  return config.num_layers * layer + trunk_token_bytes(config);
}

// Scores that are soft-capped are there as often again while they are made.
int64_t passing_scores_floats(const ModelConfig& config, int64_t length) {
  return config.attention_softcap > 0 ? 3 * config.num_heads * length : 0;
}

int64_t slope_token_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t length) {
  const int64_t I = config.intermediate_size;
  const int64_t inner = mode.bfloat16 ? 5 * I / 2 : fuses_feed_forward(config, mode) ? 2 * I : I;
  return kFloat * (std::max(inner, passing_scores_floats(config, length)) + 3 * config.hidden_size) +
         (mode.checkpointing ? layer_token_bytes(config, mode, length) : 0);
}

}  // namespace

int64_t activation_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch) {
  return batch.num_tokens * kept_token_bytes(config, mode, batch.length) +
         masks_bytes(config, mode, batch.length);
}

int64_t slope_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch) {
  return batch.num_tokens * slope_token_bytes(config, mode, batch.length);
}

int64_t prefill_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch) {
  const int64_t Q = query_width(config), K = key_width(config), I = config.intermediate_size;
  const int64_t kept = config.num_layers * (2 * K + (config.names.qkv.empty() ? 0 : Q + K));
  const int64_t inner = fuses_feed_forward(config, mode) ? 7 * I / 2 : 9 * I / 2;
  const int64_t scores = 5 * passing_scores_floats(config, batch.length) / 3;
  return batch.num_tokens * kFloat * (kept + 5 * config.hidden_size + 2 * Q + std::max(inner, scores));
}

int64_t cached_token_bytes(const ModelConfig& config, const ComputeMode& mode) {
  return 2 * config.num_layers * key_width(config) * (mode.bfloat16 ? kBfloat16 : kFloat);
}

int64_t micro_batch_tokens(const ModelConfig& config, const ComputeMode& mode, int64_t asked) {
  if (asked > 0) return asked;
  const int64_t token_bytes =
      kept_token_bytes(config, mode, kTypicalLength) + slope_token_bytes(config, mode, kTypicalLength);
  return std::clamp<int64_t>(kActivationBudget / token_bytes, 512, 8192);
}

int64_t logits_chunk_rows(const ModelConfig& config) {
  return std::max(kMinChunkRows, kChunkLogits / config.vocab_size);
}

int64_t logits_chunk_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t num_tokens,
                           const ChunkUse& use) {
  // Logits and their slope; unless fused also these over the temperature, or the steps of the entropy's
  // slope; and what the family does to its logits.
  int64_t tensors = mode.fused ? 2 : use.entropy ? 6 : use.temperature ? 3 : 2;
  if (config.logits_softcap > 0) tensors += 2;
  if (config.logits_divisor != 1) ++tensors;
  return tensors * kFloat * std::min(logits_chunk_rows(config), num_tokens) * config.vocab_size;
}

}  // namespace rft::engine
