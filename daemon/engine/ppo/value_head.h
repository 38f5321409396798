// The critic: one linear map from the policy's own last hidden state to a number, so that it costs next to
// nothing beside a value model of its own. It starts at zero, so the first advantages are the rewards-to-go
// and nothing random reaches the shared trunk.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace rft::engine {

struct ValueHead {
  at::Tensor weight;  // (1, H) float32, requires a gradient
  at::Tensor bias;    // (1)    float32, requires a gradient

  static ValueHead zeros(int64_t hidden_size, at::Device device);
  // hidden (M, H), any floating dtype -> (M) float32. Differentiable.
  at::Tensor values(const at::Tensor& hidden) const;
};

}  // namespace rft::engine
