#include "engine/model/training_kernels.h"

#include "engine/model/kernels_avx512.h"

namespace rft::engine::kernels {

void rms_norm_rows(const float* x, const float* weight, float eps, int64_t num_rows, int64_t H, float* out,
                   float* factors) {
  for (int64_t row = 0; row < num_rows; ++row, x += H, out += H) {
    __m512 squares = _mm512_setzero_ps();
    for (int64_t h = 0; h < H; h += 16) {
      const __m512 v = _mm512_maskz_loadu_ps(first_lanes(H - h), x + h);
      squares = _mm512_fmadd_ps(v, v, squares);
    }
    factors[row] = 1 / __builtin_sqrtf(_mm512_reduce_add_ps(squares) / static_cast<float>(H) + eps);
    const __m512 factor = _mm512_set1_ps(factors[row]);
    for (int64_t h = 0; h < H; h += 16) {
      const __mmask16 lanes = first_lanes(H - h);
      const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + h), factor);
      _mm512_mask_storeu_ps(out + h, lanes, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(lanes, weight + h)));
    }
  }
}

void rms_norm_rows_backward(const float* x, const float* weight, const float* factors, const float* slope,
                            int64_t num_rows, int64_t H, float* of_x, float* of_weight) {
  for (int64_t row = 0; row < num_rows; ++row, x += H, slope += H, of_x += H) {
    const __m512 factor = _mm512_set1_ps(factors[row]);
    __m512 products = _mm512_setzero_ps();  // g·w·n
    for (int64_t h = 0; h < H; h += 16) {
      const __mmask16 lanes = first_lanes(H - h);
      const __m512 g = _mm512_maskz_loadu_ps(lanes, slope + h);
      const __m512 gn = _mm512_mul_ps(g, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + h), factor));
      products = _mm512_fmadd_ps(gn, _mm512_maskz_loadu_ps(lanes, weight + h), products);
      _mm512_mask_storeu_ps(of_weight + h, lanes,
                            _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, of_weight + h), gn));
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(products) / static_cast<float>(H));
    for (int64_t h = 0; h < H; h += 16) {
      const __mmask16 lanes = first_lanes(H - h);
      const __m512 n = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + h), factor);
      const __m512 gw =
          _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, slope + h), _mm512_maskz_loadu_ps(lanes, weight + h));
      _mm512_mask_storeu_ps(of_x + h, lanes, _mm512_mul_ps(factor, _mm512_fnmadd_ps(n, mean, gw)));
    }
  }
}

void silu_product(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    const __m512 activated = silu_vector(_mm512_maskz_loadu_ps(lanes, gate + i));
    _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(activated, _mm512_maskz_loadu_ps(lanes, up + i)));
  }
}

void silu_product_backward(const float* gate, const float* up, const float* slope, int64_t count,
                           float* of_gate, float* of_up) {
  const __m512 one = _mm512_set1_ps(1);
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    const __m512 x = _mm512_maskz_loadu_ps(lanes, gate + i);
    const __m512 g = _mm512_maskz_loadu_ps(lanes, slope + i);
    const __m512 sigmoid =
        _mm512_div_ps(one, _mm512_add_ps(one, exp_vector(_mm512_sub_ps(_mm512_setzero_ps(), x))));
    const __m512 activated = _mm512_mul_ps(x, sigmoid);
    _mm512_mask_storeu_ps(of_up + i, lanes, _mm512_mul_ps(g, activated));
    // silu′(x) = sigmoid(x) + silu(x) · (1 − sigmoid(x))
    const __m512 derivative = _mm512_fmadd_ps(activated, _mm512_sub_ps(one, sigmoid), sigmoid);
    _mm512_mask_storeu_ps(of_gate + i, lanes,
                          _mm512_mul_ps(_mm512_mul_ps(g, _mm512_maskz_loadu_ps(lanes, up + i)), derivative));
  }
}

Distribution describe_distribution(const float* logits, int64_t V, float scale) {
  const __m512 nothing = _mm512_set1_ps(-__builtin_inff()), factor = _mm512_set1_ps(scale);
  __m512 most = nothing;
  for (int64_t v = 0; v < V; v += 16)
    most = _mm512_max_ps(most, _mm512_mask_loadu_ps(nothing, first_lanes(V - v), logits + v));
  const float largest = _mm512_reduce_max_ps(most) * scale;
  const __m512 shift = _mm512_set1_ps(largest);
  __m512 sum = _mm512_setzero_ps(),
         weighted = _mm512_setzero_ps();  // of e^y, of y·e^y; y = z·scale − largest
  for (int64_t v = 0; v < V; v += 16) {
    const __mmask16 lanes = first_lanes(V - v);
    const __m512 y = _mm512_fmsub_ps(_mm512_maskz_loadu_ps(lanes, logits + v), factor, shift);
    const __m512 e = _mm512_maskz_mov_ps(lanes, exp_vector(y));
    sum = _mm512_add_ps(sum, e);
    weighted = _mm512_fmadd_ps(_mm512_maskz_mov_ps(lanes, y), e, weighted);
  }
  const float total = _mm512_reduce_add_ps(sum), log_total = __builtin_logf(total);
  return {largest + log_total, log_total - _mm512_reduce_add_ps(weighted) / total};
}

// With p the softmax: ∂ log p[k] / ∂z[j] = 1[j=k] − p[j], ∂H / ∂z[j] = −p[j] (log p[j] + H), both · scale.
void distribution_slope(const float* logits, int64_t V, float scale, Distribution distribution,
                        int64_t target, float of_log_prob, float of_entropy, float* out) {
  const __m512 factor = _mm512_set1_ps(scale), normaliser = _mm512_set1_ps(distribution.log_normaliser);
  const __m512 entropy_slope = _mm512_set1_ps(-of_entropy * scale);
  const __m512 constant = _mm512_set1_ps(-(of_log_prob + of_entropy * distribution.entropy) * scale);
  for (int64_t v = 0; v < V; v += 16) {
    const __mmask16 lanes = first_lanes(V - v);
    const __m512 log_p = _mm512_fmsub_ps(_mm512_maskz_loadu_ps(lanes, logits + v), factor, normaliser);
    const __m512 slope = _mm512_mul_ps(exp_vector(log_p), _mm512_fmadd_ps(log_p, entropy_slope, constant));
    _mm512_mask_storeu_ps(out + v, lanes, slope);
  }
  out[target] += of_log_prob * scale;
}

}  // namespace rft::engine::kernels
