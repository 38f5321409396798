// Rotary position embeddings, in the rotate-half layout of Hugging Face checkpoints: pair i of a head is its
// elements i and i + D/2.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/model/model_config.h"

namespace rft::engine {

// Radians per position of each pair, (D/2) float32 on the CPU, rescaled as config.rope says.
at::Tensor rope_frequencies(const ModelConfig& config);

struct RopeTable {
  at::Tensor cos;  // (P, D), both halves alike
  at::Tensor sin;  // (P, D)
};

// In float32, as the checkpoints were trained.
RopeTable make_rope_table(const ModelConfig& config, int64_t num_positions, at::Device device);

// x (..., D), with cos and sin broadcastable to it.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace rft::engine
