// The elementwise loops of training on a CPU with AVX-512: what ATen does in several passes over memory, in
// one forward and one backward. Plain functions over plain pointers, compiled for newer instructions than the
// rest as kernels.h says; available where kernels::available_f32() is. No function here starts threads.
#pragma once

#include <stdint.h>

namespace rft::engine::kernels {

// `num_rows` rows of H numbers: out = x · factor · weight with factor = 1 / sqrt(mean(x²) + eps), one a row.
void rms_norm_rows(const float* x, const float* weight, float eps, int64_t num_rows, int64_t H, float* out,
                   float* factors);
// With n = x · factor: of_x = factor · (g·w − n · mean(g·w·n)); of_weight (H) += the sum over rows of g·n.
void rms_norm_rows_backward(const float* x, const float* weight, const float* factors, const float* slope,
                            int64_t num_rows, int64_t H, float* of_x, float* of_weight);

// out = silu(gate) · up.
void silu_product(const float* gate, const float* up, int64_t count, float* out);
void silu_product_backward(const float* gate, const float* up, const float* slope, int64_t count,
                           float* of_gate, float* of_up);

// Of the distribution softmax(logits · scale), V numbers.
struct Distribution {
  float log_normaliser;  // log of the sum of exp(logits · scale)
  float entropy;         // nats
};
Distribution describe_distribution(const float* logits, int64_t V, float scale);
// out = ∂/∂logits of of_log_prob · log p[target] + of_entropy · entropy.
void distribution_slope(const float* logits, int64_t V, float scale, Distribution distribution,
                        int64_t target, float of_log_prob, float of_entropy, float* out);

}  // namespace rft::engine::kernels
