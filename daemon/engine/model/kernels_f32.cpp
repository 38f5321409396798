#include "engine/model/kernels.h"
#include "engine/model/kernels_avx512.h"
#include "engine/model/tile_f32.h"

namespace rft::engine::kernels {
namespace {

// Scores of kBlocks blocks of keys for kQueries queries: enough sums under way to hide the latency of each.
template <int kQueries, int kBlocks>
void score_blocks(const float* q, int64_t D, const float* keys, float* scores, int64_t ld_scores) {
  __m512 sums[kQueries][kBlocks];
  for (int g = 0; g < kQueries; ++g)
    for (int b = 0; b < kBlocks; ++b) sums[g][b] = _mm512_setzero_ps();
  for (int64_t d = 0; d < D; ++d) {
    __m512 k[kBlocks];
#pragma GCC unroll 4
    for (int b = 0; b < kBlocks; ++b) k[b] = _mm512_loadu_ps(keys + (b * D + d) * kKeyBlock);
#pragma GCC unroll 4
    for (int g = 0; g < kQueries; ++g) {
      const __m512 v = _mm512_set1_ps(q[g * D + d]);
#pragma GCC unroll 4
      for (int b = 0; b < kBlocks; ++b) sums[g][b] = _mm512_fmadd_ps(v, k[b], sums[g][b]);
    }
  }
  for (int g = 0; g < kQueries; ++g)
    for (int b = 0; b < kBlocks; ++b) _mm512_storeu_ps(scores + g * ld_scores + b * kKeyBlock, sums[g][b]);
}

template <int kQueries>
void score(const float* q, int64_t D, const float* keys, int64_t num_blocks, float* scores,
           int64_t ld_scores) {
  int64_t b = 0;
  for (; b + 4 <= num_blocks; b += 4)
    score_blocks<kQueries, 4>(q, D, keys + b * D * kKeyBlock, scores + b * kKeyBlock, ld_scores);
  for (; b < num_blocks; ++b)
    score_blocks<kQueries, 1>(q, D, keys + b * D * kKeyBlock, scores + b * kKeyBlock, ld_scores);
}

// out[g] = Σ_t weights[g][t] · values[t] / sums[g], for 16·kVectors of the D columns.
template <int kQueries, int kVectors>
void weigh(const float* weights, int64_t ld_weights, const float* sums, const float* values, int64_t length,
           int64_t D, float* out) {
  __m512 totals[kQueries][kVectors];
  for (int g = 0; g < kQueries; ++g)
    for (int j = 0; j < kVectors; ++j) totals[g][j] = _mm512_setzero_ps();
  for (int64_t t = 0; t < length; ++t) {
    __m512 v[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] = _mm512_loadu_ps(values + t * D + j * 16);
#pragma GCC unroll 4
    for (int g = 0; g < kQueries; ++g) {
      const __m512 w = _mm512_set1_ps(weights[g * ld_weights + t]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) totals[g][j] = _mm512_fmadd_ps(w, v[j], totals[g][j]);
    }
  }
  for (int g = 0; g < kQueries; ++g)
    for (int j = 0; j < kVectors; ++j)
      _mm512_storeu_ps(out + g * D + j * 16, _mm512_mul_ps(totals[g][j], _mm512_set1_ps(1 / sums[g])));
}

template <int kQueries>
void attend_queries(const float* q, int64_t D, const float* keys, const float* values, float scale,
                    int64_t first, int64_t length, float* scores, float* out) {
  const int64_t num_blocks = (length + kKeyBlock - 1) / kKeyBlock, ld = num_blocks * kKeyBlock;
  score<kQueries>(q, D, keys, num_blocks, scores, ld);
  float sums[kQueries];
  for (int g = 0; g < kQueries; ++g)
    sums[g] = softmax_weights(scores + g * ld, scale, first, length, length).total;
  int64_t d = 0;
  for (; d + 64 <= D; d += 64) weigh<kQueries, 4>(scores, ld, sums, values + d, length, D, out + d);
  for (; d + 32 <= D; d += 32) weigh<kQueries, 2>(scores, ld, sums, values + d, length, D, out + d);
  for (; d < D; d += 16) weigh<kQueries, 1>(scores, ld, sums, values + d, length, D, out + d);
}

}  // namespace

void gemm_tile(Epilogue epilogue, const float* x, int64_t ldx, int64_t rows, const float* panel, int64_t K,
               const float* bias, float* out, int64_t ldo, int64_t columns) {
  const Tile* tiles = epilogue == Epilogue::store        ? kTiles<Epilogue::store>
                      : epilogue == Epilogue::accumulate ? kTiles<Epilogue::accumulate>
                                                         : kTiles<Epilogue::silu_mul>;
  tiles[rows - 1](x, ldx, panel, K, bias, out, ldo, columns);
}

void rms_norm(const float* x, const float* weight, float eps, int64_t H, float* out) {
  __m512 squares = _mm512_setzero_ps();
  for (int64_t h = 0; h < H; h += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(first_lanes(H - h), x + h);
    squares = _mm512_fmadd_ps(v, v, squares);
  }
  const float mean = _mm512_reduce_add_ps(squares) / static_cast<float>(H);
  const __m512 factor = _mm512_set1_ps(1 / __builtin_sqrtf(mean + eps));
  for (int64_t h = 0; h < H; h += 16) {
    const __mmask16 lanes = first_lanes(H - h);
    const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + h), factor);
    _mm512_mask_storeu_ps(out + h, lanes, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(lanes, weight + h)));
  }
}

void rotate_head(const float* x, const float* cos, const float* sin, int64_t R, int64_t D, float direction,
                 float* out) {
  const int64_t half = R / 2;
  const __m512 turn = _mm512_set1_ps(direction);
  for (int64_t d = 0; d < half; d += 16) {
    const __mmask16 lanes = first_lanes(half - d);
    const __m512 c = _mm512_maskz_loadu_ps(lanes, cos + d);
    const __m512 s = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, sin + d), turn);
    const __m512 a = _mm512_maskz_loadu_ps(lanes, x + d), b = _mm512_maskz_loadu_ps(lanes, x + half + d);
    _mm512_mask_storeu_ps(out + d, lanes, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
    _mm512_mask_storeu_ps(out + half + d, lanes, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
  }
  for (int64_t d = R; d < D; ++d) out[d] = x[d];
}

void attend(const float* q, int64_t num_queries, int64_t D, const float* keys, const float* values,
            float scale, int64_t first, int64_t length, float* scores, float* out) {
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

float largest(const float* x, int64_t count) {
  const __m512 nothing = _mm512_set1_ps(-__builtin_inff());
  __m512 most = nothing;
  for (int64_t i = 0; i < count; i += 16)
    most = _mm512_max_ps(most, _mm512_mask_loadu_ps(nothing, first_lanes(count - i), x + i));
  return _mm512_reduce_max_ps(most);
}

double exp_sums(const float* x, int64_t count, float shift, float scale, float* block_sums) {
  double total = 0;
  for (int64_t block = 0; block * kSumBlock < count; ++block) {
    const int64_t end = (block + 1) * kSumBlock < count ? (block + 1) * kSumBlock : count;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = block * kSumBlock; i < end; i += 16) {
      const __mmask16 lanes = first_lanes(end - i);
      const __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_set1_ps(shift));
      sum =
          _mm512_add_ps(sum, _mm512_maskz_mov_ps(lanes, exp_vector(_mm512_mul_ps(v, _mm512_set1_ps(scale)))));
    }
    block_sums[block] = _mm512_reduce_add_ps(sum);
    total += block_sums[block];
  }
  return total;
}

}  // namespace rft::engine::kernels
