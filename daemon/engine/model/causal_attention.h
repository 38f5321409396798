// What the tokens of whole sequences find in what stands before them, differentiable. On a CPU with AVX-512
// and float32 by loops of its own, which take a third of ATen's time in sequences of a hundred tokens;
// anywhere else, for long ones and for tensors whose layout does not suit, by ATen (`reference::`), with
// which a test compares them.
#pragma once

#include <ATen/core/Tensor.h>

namespace rft::engine {

// softmax(q · kᵀ · scale) · v, where a token looks at itself and what is before it in its sequence: q (B, A,
// T, D), k and v (B, K, T, D) -> (B, A, T, D), laid out as (B, T, A, D). A/K query heads share a key-value
// head. Each row is a sequence; or, where `counts` is given, B is 1 and its positions are those of sequences
// of so many tokens, one behind the other.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                            at::IntArrayRef counts = {});

namespace reference {
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                            at::IntArrayRef counts = {});
}  // namespace reference

}  // namespace rft::engine
