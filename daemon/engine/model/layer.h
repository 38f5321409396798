// One layer of the decoder as functions of its weights and its input. A family differs by the switches in
// ModelConfig and by which weights are there, never by another loop.
//
// B sequences, T positions, H hidden, A attention heads, K key-value heads, D head width, I inner width.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/model/model_config.h"
#include "engine/model/rope.h"

namespace rft::engine {

// What a LoRA adapter adds to a weight: scale · b·a. Undefined factors mean no adapter.
struct LoraFactors {
  at::Tensor a;  // (rank, in)
  at::Tensor b;  // (out, rank)
  double scale = 0;
};

// Weights and activations are float32. Where the compute dtype is bfloat16, `rounded` holds the merged weight
// in it and the products are taken as mixed_linear says; else it is undefined. An undefined bias means none,
// an undefined weight that the layer has no such matrix.
struct Linear {
  at::Tensor weight;   // (out, in)
  at::Tensor bias;     // (out)
  at::Tensor rounded;  // (out, in) bfloat16
  LoraFactors lora;
};

// The weight with its adapter's product added, in float32 without gradients; without an adapter the weight
// itself.
at::Tensor merged_weight(const Linear& linear);

// An undefined weight: nothing is normed there. Only layer norms have a bias.
struct Norm {
  at::Tensor weight;  // (width)
  at::Tensor bias;    // (width)
};

struct LayerWeights {
  LayerSwitches switches;
  Norm attention_norm;         // (H)
  Linear q, k, v;              // (A·D, H), (K·D, H), (K·D, H), or
  Linear qkv;                  // ((A + 2·K)·D, H)
  Norm q_norm, k_norm;         // (D) each, or (A·D), (K·D)
  Linear o;                    // (H, A·D)
  Norm attention_output_norm;  // (H)
  Norm mlp_norm;               // (H)
  Linear gate, up;             // (I, H), (I, H), or
  Linear gate_up;              // (2·I, H)
  Linear down;                 // (H, I)
  Norm mlp_output_norm;        // (H)
};

// Everything that a forward pass reads: the parameters by their roles.
struct ModelWeights {
  at::Tensor embedding;  // (V, H)
  at::Tensor positions;  // (P, H), or undefined
  std::vector<LayerWeights> layers;
  Norm final_norm;  // (H)
  Linear head;      // (V, H); its weight is the embedding itself where they are tied
};

// The norm of the family, over the last dimension; x itself where there is none.
at::Tensor apply(const ModelConfig& config, const Norm& norm, const at::Tensor& x);

// x · (weight + scale·b·a)ᵀ + bias. In float32 the adapter's product is taken beside the weight's, so that no
// merged copy is needed; in bfloat16 the merged weight is what is rounded, here as in rollouts, because a sum
// of two rounded products would be another policy than the sampler's.
at::Tensor apply(const Linear& linear, const at::Tensor& x);

// What the scores of a layer are multiplied with.
double attention_scale(const ModelConfig& config, const LayerSwitches& switches);

// cap · tanh(x / cap).
at::Tensor soft_cap(const at::Tensor& x, double cap);

// Where the tokens of a pass stand, for one layer.
struct Placement {
  RopeTable rope;   // broadcasts to (B, heads, T, D); undefined where the layer has no rotary embedding
  at::Tensor mask;  // (T, T), or (B, 1, 1, C): true where a token may look; undefined: at all before it
  // Where B is 1: the tokens of each of the sequences that stand one behind the other in the row; empty: it
  // is one sequence.
  std::vector<int64_t> counts;
};

struct KeysValues {
  at::Tensor keys;    // (B, K, T, D), rotated
  at::Tensor values;  // (B, K, T, D)
};

// Whole sequences, causal: x (B, T, H) -> (B, T, H). Keys and values are handed out where `keep` is given.
at::Tensor run_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                     const Placement& placement, KeysValues* keep = nullptr);

// The same, but what follows attention only for the tokens at `positions` (M) of B·T -> (M, H).
at::Tensor run_layer_at(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                        const Placement& placement, const at::Tensor& positions);

// One new position of each row: x (B, H) -> (B, H). `positions` (B) says where each row's new key and value
// go in `keys` and `values` (R, K, C, D), R >= B; the placement's mask (B, 1, 1, T) bounds by T what is read
// of the cache.
at::Tensor step_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                      const Placement& placement, const at::Tensor& positions, at::Tensor& keys,
                      at::Tensor& values);

}  // namespace rft::engine
