// The tile of float32 products that the decode step and training's attention are made of; for their kernel
// files alone. What is here has internal linkage, for the reason that kernels_avx512.h gives.
#pragma once

#include "engine/model/kernels.h"
#include "engine/model/kernels_avx512.h"

namespace rft::engine::kernels {
namespace {

// Of x · panel + bias, (kRows, columns), what kEpilogue says of gemm_tile. Element (row, k) of x is at
// x[row · ldx + k], where it is kTransposed at x[k · ldx + row].
template <int kRows, Epilogue kEpilogue, bool kTransposed>
void tile(const float* x, int64_t ldx, const float* panel, int64_t K, const float* bias, float* out,
          int64_t ldo, int64_t columns) {
  __m512 sums[kRows][2];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    sums[i][0] = _mm512_loadu_ps(bias);
    sums[i][1] = _mm512_loadu_ps(bias + 16);
  }
  for (int64_t k = 0; k < K; ++k) {
    const __m512 w0 = _mm512_loadu_ps(panel + k * kPanel);
    const __m512 w1 = _mm512_loadu_ps(panel + k * kPanel + 16);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const __m512 v = _mm512_set1_ps(kTransposed ? x[k * ldx + i] : x[i * ldx + k]);
      sums[i][0] = _mm512_fmadd_ps(v, w0, sums[i][0]);
      sums[i][1] = _mm512_fmadd_ps(v, w1, sums[i][1]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    float* row = out + i * ldo;
    if constexpr (kEpilogue == Epilogue::silu_mul) {
      _mm512_mask_storeu_ps(row, first_lanes(columns), _mm512_mul_ps(silu_vector(sums[i][0]), sums[i][1]));
    } else {
      store_row<kEpilogue == Epilogue::accumulate>(row, columns, sums[i][0], sums[i][1]);
    }
  }
}

using Tile = void (*)(const float*, int64_t, const float*, int64_t, const float*, float*, int64_t, int64_t);
template <Epilogue e, bool t = false>
constexpr Tile kTiles[kMaxTileRows] = {tile<1, e, t>, tile<2, e, t>,  tile<3, e, t>,  tile<4, e, t>,
                                       tile<5, e, t>, tile<6, e, t>,  tile<7, e, t>,  tile<8, e, t>,
                                       tile<9, e, t>, tile<10, e, t>, tile<11, e, t>, tile<12, e, t>};

}  // namespace
}  // namespace rft::engine::kernels
