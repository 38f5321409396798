// The decode step of a CPU with AVX-512: the same mathematics as step_layer, with the weights packed for it
// once, one pass over memory per operation, and attention over a cache in the layout that its loads want.
// It replaces step_layer in Decoder::decode where it can; a test compares the two.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/kv_cache.h"
#include "engine/model/layer.h"
#include "engine/model/model_config.h"

namespace rft::engine {

// W (N, K) for kernels::gemm_tile, with its bias; zeros fill the last panel. `data` is float32 or bfloat16.
struct PackedMatrix {
  int64_t N = 0, K = 0;
  at::Tensor data;  // (N/32, K, 32), or (N/32, K/2, 32, 2)
  at::Tensor bias;  // (N rounded up to 32) float32
};

class PackedStep {
 public:
  // Whether this CPU and this model's shapes allow it.
  static bool supports(const ModelConfig& config, const at::Device& device, at::ScalarType compute_dtype);

  // Copies of the float32 `masters`, adapters merged; the embedding and the norms are shared with them.
  PackedStep(const ModelConfig& config, const ModelWeights& masters, at::ScalarType compute_dtype);

  // As Decoder::decode: -> (B, V) float32 logits. `rope` (P, D) float32 covers all positions; the cache has
  // KvLayout::blocked.
  at::Tensor run(std::span<const int64_t> ids, std::span<const int64_t> positions, KvCache& cache,
                 const RopeTable& rope);

 private:
  struct Layer {
    LayerSwitches switches;
    at::Tensor attention_norm, mlp_norm;  // (H)
    at::Tensor q_norm, k_norm;            // (D), or undefined
    PackedMatrix qkv;                     // (A·D + 2·K·D, H)
    PackedMatrix o, gate_up, down;        // gate and up alternate by 16 rows
  };
  template <class T>
  void run_layer(const Layer& layer, std::span<const int64_t> positions, KvCache& cache, size_t index,
                 const RopeTable& rope);
  template <class T>
  void attend(const Layer& layer, std::span<const int64_t> positions, at::Tensor& keys, at::Tensor& values,
              const RopeTable& rope);
  void reserve(int64_t num_rows, int64_t longest);

  ModelConfig config_;
  at::ScalarType compute_dtype_;
  at::Tensor embedding_;   // (V, H)
  at::Tensor final_norm_;  // (H)
  std::vector<Layer> layers_;
  PackedMatrix head_;  // (V, H)

  // Of the step under way, for R >= B rows. T is the compute dtype.
  at::Tensor x_;         // (R, H) float32: the residual stream
  at::Tensor normed_;    // (R, H) T
  at::Tensor heads_;     // (R, A·D + 2·K·D) float32
  at::Tensor attended_;  // (R, A·D) T
  at::Tensor inner_;     // (R, I) T
  at::Tensor scratch_;   // (threads, ...) float32
};

}  // namespace rft::engine
