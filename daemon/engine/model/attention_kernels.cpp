#include "engine/model/attention_kernels.h"

#include "engine/model/kernels_avx512.h"
#include "engine/model/tile_f32.h"

// As for the decode step, a matrix is cut into panels of kPanel columns, and a tile of up to kMaxTileRows
// rows against one panel stays in registers.
namespace rft::engine::kernels {
namespace {

// Queries whose scores a backward pass has at a time: a multiple of kMaxTileRows.
constexpr int64_t kQueryBlock = 48;

int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

constexpr float kNoBias[kPanel] = {};

// `rows` (1 .. kMaxTileRows) rows of x, ldx apart, or where it is kTransposed columns, against panels of K,
// `panel_step` apart: `columns` columns of out.
template <Epilogue kEpilogue, bool kTransposed = false>
void multiply(const float* x, int64_t ldx, int64_t rows, const float* panels, int64_t panel_step, int64_t K,
              int64_t columns, float* out, int64_t ldo) {
  for (int64_t c = 0; c < columns; c += kPanel, panels += panel_step)
    kTiles<kEpilogue, kTransposed>[rows - 1](x, ldx, panels, K, kNoBias, out + c, ldo, columns - c);
}

// One head (T, D) as panels (D/32, T, 32), filled up with zeros.
void pack(const float* head, int64_t of_position, int64_t T, int64_t D, float* panels) {
  for (int64_t d = 0; d < D; d += kPanel, panels += T * kPanel) {
    const __mmask16 lanes0 = first_lanes(D - d), lanes1 = first_lanes(D - d - 16);
    for (int64_t t = 0; t < T; ++t) {
      const float* from = head + t * of_position + d;
      _mm512_storeu_ps(panels + t * kPanel, _mm512_maskz_loadu_ps(lanes0, from));
      _mm512_storeu_ps(panels + t * kPanel + 16, _mm512_maskz_loadu_ps(lanes1, from + 16));
    }
  }
}

// One head (T, D), transposed, as panels (T/32, D, 32), filled up with zeros.
void pack_transposed(const float* head, int64_t of_position, int64_t T, int64_t D, float* panels) {
  const __m512i steps =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(static_cast<int>(of_position)));
  for (int64_t t = 0; t < round_up(T, kPanel); t += 16) {
    const __mmask16 lanes = first_lanes(T - t);
    float* to = panels + t / kPanel * kPanel * D + t % kPanel;
    for (int64_t d = 0; d < D; ++d) {
      _mm512_storeu_ps(to + d * kPanel, _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, steps,
                                                                 head + t * of_position + d, 4));
    }
  }
}

// Hands out the parts of the scratch.
struct Scratch {
  float* next;
  float* take(int64_t count) {
    float* const taken = next;
    next += count;
    return taken;
  }
};

int64_t packed_floats(int64_t T, int64_t D) { return T * round_up(D, kPanel); }
int64_t transposed_floats(int64_t T, int64_t D) { return round_up(T, kPanel) * D; }

float dot(const float* a, const float* b, int64_t D) {
  __m512 sum = _mm512_setzero_ps();
  for (int64_t d = 0; d < D; d += 16) {
    const __mmask16 lanes = first_lanes(D - d);
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a + d), _mm512_maskz_loadu_ps(lanes, b + d), sum);
  }
  return _mm512_reduce_add_ps(sum);
}

// A query's scores to its weights p, and the slopes of those to the slopes of the scores before `scale`:
// scale · p (slope − mean), mean = Σ p · slope. Zeros from `seen` to `width`.
void slope_of_scores(float* scores, float* slopes, int64_t seen, int64_t width, float scale, float log_sum,
                     float mean) {
  const __m512 factor = _mm512_set1_ps(scale), shift = _mm512_set1_ps(log_sum), middle = _mm512_set1_ps(mean);
  for (int64_t s = 0; s < width; s += 16) {
    const __m512 y = _mm512_fmsub_ps(_mm512_loadu_ps(scores + s), factor, shift);
    const __m512 p = _mm512_maskz_mov_ps(first_lanes(seen - s), exp_vector(y));
    const __m512 above = _mm512_sub_ps(_mm512_loadu_ps(slopes + s), middle);
    _mm512_storeu_ps(scores + s, p);
    _mm512_storeu_ps(slopes + s, _mm512_mul_ps(_mm512_mul_ps(p, factor), above));
  }
}

}  // namespace

int64_t causal_attention_scratch(const AttentionShape& shape) {
  return 3 * packed_floats(shape.T, shape.D) + 2 * transposed_floats(shape.T, shape.D) +
         2 * kQueryBlock * round_up(shape.T, kPanel);
}

void causal_attention(const AttentionShape& shape, const AttentionInputs& inputs, const Heads& out,
                      float* log_sums, float* scratch) {
  const auto [T, G, D, scale] = shape;
  const ConstHeads &q = inputs.q, &k = inputs.k, &v = inputs.v;
  Scratch parts{scratch};
  float* const keys = parts.take(transposed_floats(T, D));
  float* const values = parts.take(packed_floats(T, D));
  float* const scores = parts.next;
  pack_transposed(k.first, k.of_position, T, D, keys);
  pack(v.first, v.of_position, T, D, values);
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t t = 0; t < T; t += kMaxTileRows) {
      const int64_t rows = at_most(kMaxTileRows, T - t), seen = t + rows, width = round_up(seen, kPanel);
      const float* const queries = q.first + g * q.of_head + t * q.of_position;
      multiply<Epilogue::store>(queries, q.of_position, rows, keys, kPanel * D, D, width, scores, width);
      float shares[kMaxTileRows];
      for (int64_t i = 0; i < rows; ++i) {
        const Softmax found = softmax_weights(scores + i * width, scale, 0, t + i + 1, width);
        shares[i] = 1 / found.total;
        log_sums[g * T + t + i] = found.largest + __builtin_logf(found.total);
      }
      float* const to = out.first + g * out.of_head + t * out.of_position;
      multiply<Epilogue::store>(scores, width, rows, values, T * kPanel, seen, D, to, out.of_position);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t d = 0; d < D; ++d) to[i * out.of_position + d] *= shares[i];
    }
  }
}

void causal_attention_backward(const AttentionShape& shape, const AttentionInputs& inputs,
                               const ConstHeads& out, const float* log_sums, const ConstHeads& slope,
                               const AttentionSlopes& slopes, float* scratch) {
  const auto [T, G, D, scale] = shape;
  const ConstHeads &q = inputs.q, &k = inputs.k, &v = inputs.v;
  const int64_t panel = T * kPanel;
  Scratch parts{scratch};
  float* const keys = parts.take(packed_floats(T, D));
  float* const keys_across = parts.take(transposed_floats(T, D));
  float* const values_across = parts.take(transposed_floats(T, D));
  float* const queries = parts.take(packed_floats(T, D));
  float* const of_out = parts.take(packed_floats(T, D));
  float* const weights = parts.take(kQueryBlock * round_up(T, kPanel));
  float* const of_scores = parts.next;
  pack(k.first, k.of_position, T, D, keys);
  pack_transposed(k.first, k.of_position, T, D, keys_across);
  pack_transposed(v.first, v.of_position, T, D, values_across);
  for (int64_t g = 0; g < G; ++g) {
    const float* const q_of = q.first + g * q.of_head;
    const float* const slope_of = slope.first + g * slope.of_head;
    pack(q_of, q.of_position, T, D, queries);
    pack(slope_of, slope.of_position, T, D, of_out);
    for (int64_t begin = 0; begin < T; begin += kQueryBlock) {
      const int64_t end = at_most(T, begin + kQueryBlock), width = round_up(end, kPanel);
      for (int64_t t = begin; t < end; t += kMaxTileRows) {
        const int64_t rows = at_most(kMaxTileRows, end - t), seen = t + rows;
        float* const p = weights + (t - begin) * width;
        float* const ds = of_scores + (t - begin) * width;
        multiply<Epilogue::store>(q_of + t * q.of_position, q.of_position, rows, keys_across, kPanel * D, D,
                                  round_up(seen, kPanel), p, width);
        multiply<Epilogue::store>(slope_of + t * slope.of_position, slope.of_position, rows, values_across,
                                  kPanel * D, D, round_up(seen, kPanel), ds, width);
        for (int64_t i = 0; i < rows; ++i) {
          const float mean = dot(slope_of + (t + i) * slope.of_position,
                                 out.first + g * out.of_head + (t + i) * out.of_position, D);
          slope_of_scores(p + i * width, ds + i * width, t + i + 1, round_up(seen, kPanel), scale,
                          log_sums[g * T + t + i], mean);
        }
        multiply<Epilogue::store>(ds, width, rows, keys, panel, seen, D,
                                  slopes.q.first + g * slopes.q.of_head + t * slopes.q.of_position,
                                  slopes.q.of_position);
      }
      // Each key that the block sees gets its share, from the first tile of queries that see it. The first
      // head's first block to see a key begins its sums.
      for (int64_t s = 0; s < end; s += kMaxTileRows) {
        const int64_t rows = at_most(kMaxTileRows, end - s), first = s > begin ? s : begin;
        const int64_t place = (first - begin) * width + s;
        const auto share =
            g == 0 && s >= begin ? multiply<Epilogue::store, true> : multiply<Epilogue::accumulate, true>;
        share(weights + place, width, rows, of_out + first * kPanel, panel, end - first, D,
              slopes.v.first + s * slopes.v.of_position, slopes.v.of_position);
        share(of_scores + place, width, rows, queries + first * kPanel, panel, end - first, D,
              slopes.k.first + s * slopes.k.of_position, slopes.k.of_position);
      }
    }
  }
}

}  // namespace rft::engine::kernels
