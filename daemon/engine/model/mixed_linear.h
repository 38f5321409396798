// The linear layer of bfloat16 compute: both factors of a matrix product are rounded to bfloat16, products
// are summed and handed on in float32, forward and backward. So the rounding stands at one place, the
// residual stream and the gradients of the masters are float32, and training computes what the packed step
// does.
#pragma once

#include <ATen/core/Tensor.h>

namespace rft::engine {

// x (..., K) float32 -> x · weightᵀ, (..., N) float32. `rounded` is `weight` in bfloat16 (N, K); gradients go
// to `x` and to the float32 master `weight`.
at::Tensor mixed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rounded);

// The same with a LoRA adapter: `rounded` is weight + scale·b·a in bfloat16, a (r, K) and b (N, r) float32.
// Gradients go to `x`, `a` and `b`, by way of rank r, so the gradient of the whole weight is never made.
at::Tensor mixed_lora_linear(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b, double scale,
                             const at::Tensor& rounded);

}  // namespace rft::engine
