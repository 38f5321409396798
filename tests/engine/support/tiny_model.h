// A model small enough for a unit test, with every switch of the family away from its default.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <memory>

#include "engine/counter_random.h"
#include "engine/model/decoder.h"

namespace rft::engine {

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = 61;
  config.hidden_size = 32;
  config.intermediate_size = 56;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 16;  // not hidden_size / num_heads
  config.max_positions = 128;
  config.norm_eps = 1e-5;
  config.initializer_range = 0.2;
  config.attention_bias = config.attention_output_bias = true;
  config.mlp_bias = true;
  config.tie_word_embeddings = true;
  config.rope = {RopeType::llama3, 5000, 4, 1, 4, 32};
  config.eos_token_ids = {1};
  return config;
}

inline ParsedModelConfig parse(const Json& json) { return parse_model_config(json, Json()); }

inline at::Tensor ids_tensor(const std::vector<int64_t>& ids) {
  return at::tensor(ids, at::kLong).unsqueeze(0);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Random weights whose norms and biases are not 1 and 0 either.
inline std::shared_ptr<Decoder> tiny_decoder(uint64_t seed = 7, at::ScalarType compute = at::kFloat,
                                             const ModelConfig& config = tiny_config(),
                                             bool reference_step = false) {
  auto decoder = Decoder::random(config, seed, {at::kCPU, compute, reference_step});
  const at::NoGradGuard no_grad;
  for (const NamedTensor& parameter : decoder->parameters()) {
    if (parameter.tensor.dim() != 1) continue;
    at::Tensor values = parameter.tensor;
    values.add_(at::sin(at::arange(values.numel(), at::kFloat) * static_cast<double>(seed)) * 0.3);
  }
  decoder->weights_changed();
  return decoder;
}

// `count` ids of a fixed pseudo-random sequence, none of them an end of sequence.
inline std::vector<int64_t> some_ids(int64_t count, uint64_t seed, int64_t vocab_size = 61) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(2 + static_cast<int64_t>(mix(seed, static_cast<uint64_t>(i)) %
                                           static_cast<uint64_t>(vocab_size - 2)));
  return ids;
}

}  // namespace rft::engine
