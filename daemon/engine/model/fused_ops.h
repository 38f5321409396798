// The small operations of a layer, differentiable, each in one pass over memory where ATen takes several:
// what lies between the matrix products is half of a training step otherwise. On a CPU with AVX-512 and
// float32; anywhere else, and for tensors whose layout does not suit, the same mathematics by ATen
// (`reference::`), with which a test compares them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace rft::engine {

// x / sqrt(mean(x²) + eps) · weight over the last dimension: x (…, H), weight (H).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// silu(gate) · up, elementwise.
at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up);

// x (…, D), with cos and sin (…, R) broadcastable to it but for the last dimension, both halves alike: pair
// i, the elements i and i + R/2, is turned by its angle; what is beyond R <= D stays as it is.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

// x · Wᵀ for each of `weights` (out, in): x (…, in) -> (…, out) each. Going backward the products add up the
// gradient of x themselves, on any device.
std::vector<at::Tensor> joint_linear(const at::Tensor& x, at::TensorList weights);

namespace reference {
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);
}  // namespace reference

}  // namespace rft::engine
