// The same loops as kernels_f32.cpp over pairs of bfloat16, two products and a float32 sum an instruction.
#include "engine/model/kernels.h"
#include "engine/model/kernels_avx512.h"

namespace rft::engine::kernels {
namespace {

// A pair of neighbours as one 32-bit lane; they are 4-byte aligned by the layouts.
inline __m512bh broadcast_pair(const bfloat16* pair) {
  return (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t __attribute__((may_alias))*>(pair));
}

inline __m512bh load_pairs(const bfloat16* pairs) { return (__m512bh)_mm512_loadu_si512(pairs); }

inline void store_bf16(bfloat16* out, __mmask16 lanes, __m512 v) {
  _mm256_mask_storeu_epi16(out, lanes, (__m256i)_mm512_cvtneps_pbh(v));
}

template <int kRows, Epilogue kEpilogue, class Out>
void tile(const bfloat16* x, int64_t ldx, const bfloat16* panel, int64_t K, const float* bias, Out* out,
          int64_t ldo, int64_t columns) {
  __m512 sums[kRows][2];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    sums[i][0] = _mm512_loadu_ps(bias);
    sums[i][1] = _mm512_loadu_ps(bias + 16);
  }
  for (int64_t k = 0; k < K; k += 2) {
    const __m512bh w0 = load_pairs(panel + k * kPanel);
    const __m512bh w1 = load_pairs(panel + k * kPanel + 32);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const __m512bh v = broadcast_pair(x + i * ldx + k);
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], v, w0);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], v, w1);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    Out* row = out + i * ldo;
    if constexpr (kEpilogue == Epilogue::silu_mul) {
      store_bf16(row, first_lanes(columns), _mm512_mul_ps(silu_vector(sums[i][0]), sums[i][1]));
    } else {
      store_row<kEpilogue == Epilogue::accumulate>(row, columns, sums[i][0], sums[i][1]);
    }
  }
}

template <class Out>
using Tile = void (*)(const bfloat16*, int64_t, const bfloat16*, int64_t, const float*, Out*, int64_t,
                      int64_t);
template <Epilogue e, class O>
constexpr Tile<O> kTiles[kMaxTileRows] = {tile<1, e, O>, tile<2, e, O>,  tile<3, e, O>,  tile<4, e, O>,
                                          tile<5, e, O>, tile<6, e, O>,  tile<7, e, O>,  tile<8, e, O>,
                                          tile<9, e, O>, tile<10, e, O>, tile<11, e, O>, tile<12, e, O>};

template <int kQueries, int kBlocks>
void score_blocks(const bfloat16* q, int64_t D, const bfloat16* keys, float* scores, int64_t ld_scores) {
  __m512 sums[kQueries][kBlocks];
  for (int g = 0; g < kQueries; ++g)
    for (int b = 0; b < kBlocks; ++b) sums[g][b] = _mm512_setzero_ps();
  for (int64_t d = 0; d < D; d += 2) {
    __m512bh k[kBlocks];
#pragma GCC unroll 4
    for (int b = 0; b < kBlocks; ++b) k[b] = load_pairs(keys + (b * D + d) * kKeyBlock);
#pragma GCC unroll 4
    for (int g = 0; g < kQueries; ++g) {
      const __m512bh v = broadcast_pair(q + g * D + d);
#pragma GCC unroll 4
      for (int b = 0; b < kBlocks; ++b) sums[g][b] = _mm512_dpbf16_ps(sums[g][b], v, k[b]);
    }
  }
  for (int g = 0; g < kQueries; ++g)
    for (int b = 0; b < kBlocks; ++b) _mm512_storeu_ps(scores + g * ld_scores + b * kKeyBlock, sums[g][b]);
}

template <int kQueries>
void score(const bfloat16* q, int64_t D, const bfloat16* keys, int64_t num_blocks, float* scores,
           int64_t ld_scores) {
  int64_t b = 0;
  for (; b + 4 <= num_blocks; b += 4)
    score_blocks<kQueries, 4>(q, D, keys + b * D * kKeyBlock, scores + b * kKeyBlock, ld_scores);
  for (; b < num_blocks; ++b)
    score_blocks<kQueries, 1>(q, D, keys + b * D * kKeyBlock, scores + b * kKeyBlock, ld_scores);
}

// The weights of one head, rounded in place: they then fill the first half of their floats.
inline bfloat16* round_weights(float* weights, int64_t count) {
  auto* rounded = reinterpret_cast<bfloat16*>(weights);
  for (int64_t t = 0; t < count; t += 16) store_bf16(rounded + t, 0xFFFF, _mm512_loadu_ps(weights + t));
  return rounded;
}

template <int kQueries, int kVectors>
void weigh(const bfloat16* const* weights, const float* sums, const bfloat16* values, int64_t length,
           int64_t D, bfloat16* out) {
  __m512 totals[kQueries][kVectors];
  for (int g = 0; g < kQueries; ++g)
    for (int j = 0; j < kVectors; ++j) totals[g][j] = _mm512_setzero_ps();
  for (int64_t t = 0; t < length; t += 2) {
    __m512bh v[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] = load_pairs(values + t * D + j * 32);
#pragma GCC unroll 4
    for (int g = 0; g < kQueries; ++g) {
      const __m512bh w = broadcast_pair(weights[g] + t);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) totals[g][j] = _mm512_dpbf16_ps(totals[g][j], w, v[j]);
    }
  }
  for (int g = 0; g < kQueries; ++g)
    for (int j = 0; j < kVectors; ++j)
      store_bf16(out + g * D + j * 16, 0xFFFF, _mm512_mul_ps(totals[g][j], _mm512_set1_ps(1 / sums[g])));
}

template <int kQueries>
void attend_queries(const bfloat16* q, int64_t D, const bfloat16* keys, const bfloat16* values, float scale,
                    int64_t first, int64_t length, float* scores, bfloat16* out) {
  const int64_t num_blocks = (length + kKeyBlock - 1) / kKeyBlock, ld = num_blocks * kKeyBlock;
  score<kQueries>(q, D, keys, num_blocks, scores, ld);
  float sums[kQueries];
  const bfloat16* weights[kQueries];
  for (int g = 0; g < kQueries; ++g) {
    sums[g] = softmax_weights(scores + g * ld, scale, first, length, length).total;
    weights[g] = round_weights(scores + g * ld, ld);
  }
  int64_t d = 0;
  for (; d + 64 <= D; d += 64) weigh<kQueries, 4>(weights, sums, values + d * 2, length, D, out + d);
  for (; d + 32 <= D; d += 32) weigh<kQueries, 2>(weights, sums, values + d * 2, length, D, out + d);
  for (; d < D; d += 16) weigh<kQueries, 1>(weights, sums, values + d * 2, length, D, out + d);
}

}  // namespace

void gemm_tile(Epilogue epilogue, const bfloat16* x, int64_t ldx, int64_t rows, const bfloat16* panel,
               int64_t K, const float* bias, float* out, int64_t ldo, int64_t columns) {
  const auto* tiles =
      epilogue == Epilogue::accumulate ? kTiles<Epilogue::accumulate, float> : kTiles<Epilogue::store, float>;
  tiles[rows - 1](x, ldx, panel, K, bias, out, ldo, columns);
}

void gemm_tile_silu_mul(const bfloat16* x, int64_t ldx, int64_t rows, const bfloat16* panel, int64_t K,
                        const float* bias, bfloat16* out, int64_t ldo, int64_t columns) {
  kTiles<Epilogue::silu_mul, bfloat16>[rows - 1](x, ldx, panel, K, bias, out, ldo, columns);
}

void round_to_bf16(const float* x, int64_t count, bfloat16* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    store_bf16(out + i, lanes, _mm512_maskz_loadu_ps(lanes, x + i));
  }
}

void attend(const bfloat16* q, int64_t num_queries, int64_t D, const bfloat16* keys, const bfloat16* values,
            float scale, int64_t first, int64_t length, float* scores, bfloat16* out) {
  while (num_queries > 0) {
    const int64_t now = num_queries < 4 ? num_queries : 4;
    (now == 1   ? attend_queries<1>
     : now == 2 ? attend_queries<2>
     : now == 3 ? attend_queries<3>
                : attend_queries<4>)(q, D, keys, values, scale, first, length, scores, out);
    q += now * D;
    out += now * D;
    num_queries -= now;
  }
}

}  // namespace rft::engine::kernels
