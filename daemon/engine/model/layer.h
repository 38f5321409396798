// One layer of the decoder as functions of its weights and its input. A family differs by the switches in
// ModelConfig and by which weights are there, never by another loop.
//
// B sequences, T positions, H hidden, A attention heads, K key-value heads, D head width, I inner width.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/model/model_config.h"
#include "engine/model/rope.h"

namespace rft::engine {

// Weights and activations are float32. Where the compute dtype is bfloat16, `rounded` holds the weight in it
// and the products are taken as mixed_linear says; else it is undefined. An undefined bias means none.
struct Linear {
  at::Tensor weight;   // (out, in)
  at::Tensor bias;     // (out)
  at::Tensor rounded;  // (out, in) bfloat16
};

struct LayerWeights {
  at::Tensor input_norm;           // (H)
  Linear q, k, v, o;               // (A·D, H), (K·D, H), (K·D, H), (H, A·D)
  at::Tensor post_attention_norm;  // (H)
  Linear gate, up, down;           // (I, H), (I, H), (H, I)
};

// Everything that a forward pass reads: the parameters by their roles.
struct ModelWeights {
  at::Tensor embedding;  // (V, H)
  std::vector<LayerWeights> layers;
  at::Tensor final_norm;  // (H)
  Linear head;            // (V, H); its weight is the embedding itself where they are tied
};

// x / sqrt(mean(x²) + eps) · weight over the last dimension, the mean taken in float32.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

at::Tensor apply(const Linear& linear, const at::Tensor& x);

struct KeysValues {
  at::Tensor keys;    // (B, K, T, D), rotated
  at::Tensor values;  // (B, K, T, D)
};

// Whole sequences, causal: x (B, T, H) -> (B, T, H). `rope` holds positions 0 .. T−1. Keys and values are
// handed out where `keep` is given.
at::Tensor run_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                     const RopeTable& rope, KeysValues* keep = nullptr);

// One new position of each row: x (B, H) -> (B, H). `positions` (B) says where each row's new key and value
// go in `keys` and `values` (R, K, C, D), R >= B; `rope` holds the angles of those positions, (B, D); `mask`
// (B, 1, 1, T) is true where a row may look, and T bounds what is read of the cache.
at::Tensor step_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                      const RopeTable& rope, const at::Tensor& positions, const at::Tensor& mask,
                      at::Tensor& keys, at::Tensor& values);

}  // namespace rft::engine
