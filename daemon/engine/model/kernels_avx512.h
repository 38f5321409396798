// What the kernel files share; for them alone. Everything is static, so that no other file can be given
// this code by the linker.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace rft::engine::kernels {

// e^x to about 1 unit in the last place; 0 and infinity beyond the range of floats.
static inline __m512 exp_vector(__m512 x) {
  // Keeps −infinity out of the subtraction below; in this order of the operands a NaN stays one.
  x = _mm512_max_ps(_mm512_set1_ps(-200), x);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504089f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // x − n·ln 2 in two parts, then the Taylor polynomial of degree 6 on [−0.35, 0.35].
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1)));
  return _mm512_scalef_ps(p, n);
}

static inline __m512 silu_vector(__m512 x) {
  const __m512 e = exp_vector(_mm512_sub_ps(_mm512_setzero_ps(), x));
  return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), e));
}

// Lanes 0 .. count−1, for count <= 0 none, for 16 and more all.
static inline __mmask16 first_lanes(int64_t count) {
  return count >= 16 ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// The first `columns` of 32 sums into a row of floats, or with kAdd onto what is there.
template <bool kAdd>
static inline void store_row(float* row, int64_t columns, __m512 sums0, __m512 sums1) {
  const __mmask16 lanes0 = first_lanes(columns), lanes1 = first_lanes(columns - 16);
  if constexpr (kAdd) {
    sums0 = _mm512_add_ps(sums0, _mm512_maskz_loadu_ps(lanes0, row));
    sums1 = _mm512_add_ps(sums1, _mm512_maskz_loadu_ps(lanes1, row + 16));
  }
  _mm512_mask_storeu_ps(row, lanes0, sums0);
  _mm512_mask_storeu_ps(row + 16, lanes1, sums1);
}

struct Softmax {
  float total;    // of the weights
  float largest;  // score, times the scale
};

// Turns the scores of one query into weights exp((s − max) · scale), with zeros before `first` and from
// `length` to `width`.
static inline Softmax softmax_weights(float* scores, float scale, int64_t first, int64_t length,
                                      int64_t width) {
  const __m512 nothing = _mm512_set1_ps(-3.0e38f);
  const auto lanes_at = [&](int64_t t) -> __mmask16 {
    return first_lanes(length - t) & static_cast<__mmask16>(~first_lanes(first - t));
  };
  __m512 most = nothing;
  for (int64_t t = 0; t < length; t += 16)
    most = _mm512_max_ps(most, _mm512_mask_loadu_ps(nothing, lanes_at(t), scores + t));
  const float largest = _mm512_reduce_max_ps(most) * scale;
  const __m512 factor = _mm512_set1_ps(scale), shift = _mm512_set1_ps(largest);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t t = 0; t < width; t += 16) {
    const __m512 e = _mm512_maskz_mov_ps(
        lanes_at(t), exp_vector(_mm512_fmsub_ps(_mm512_loadu_ps(scores + t), factor, shift)));
    _mm512_storeu_ps(scores + t, e);
    sum = _mm512_add_ps(sum, e);
  }
  return {_mm512_reduce_add_ps(sum), largest};
}

}  // namespace rft::engine::kernels
