// The loops of a decode step on a CPU with AVX-512, as plain functions over plain pointers. This header and
// the files that implement it include nothing of the project or of ATen: they are compiled for newer
// instructions than the rest, and an inline function that they shared could be linked into code that must run
// without them. Callers ask `available` first. No function here starts threads; work is handed out by callers
// in tiles.
#pragma once

#include <stdint.h>

namespace rft::engine::kernels {

// Columns of one panel of a packed matrix.
inline constexpr int64_t kPanel = 32;
// The most rows of one tile: 12 x 2 accumulators leave room for the operands in 32 registers.
inline constexpr int64_t kMaxTileRows = 12;
// Positions of one block of cached keys.
inline constexpr int64_t kKeyBlock = 16;

using bfloat16 = uint16_t;  // the upper half of a float's bits

bool available_f32();   // avx512 f, bw, dq, vl
bool available_bf16();  // those and avx512_bf16
// Whether products of bfloat16 take less time than those of float32. On AMD's CPUs avx512_bf16 doubles the
// rate; on Intel's that takes amx_bf16, and with avx512_bf16 alone training is slower by a third.
bool fast_bf16();

enum class Epilogue {
  store,       // out[r][c] = sum + bias
  accumulate,  // out[r][c] += sum + bias
  silu_mul,    // the panel's first 16 columns are gates g, its last 16 are ups u: out[r][c] = silu(g) * u, 16
               // wide
};

// One tile of out = x · Wᵀ + bias: `rows` (1 .. kMaxTileRows) rows of x, `ldx` apart, against one panel of W.
// A panel holds, for each k (f32) or pair of k (bf16), its 32 columns side by side: (K, 32) or (K/2, 32, 2),
// K even. `bias` holds 32. `columns` of the panel exist (16 at most under silu_mul); the others are not
// written.
void gemm_tile(Epilogue epilogue, const float* x, int64_t ldx, int64_t rows, const float* panel, int64_t K,
               const float* bias, float* out, int64_t ldo, int64_t columns);
void gemm_tile(Epilogue epilogue, const bfloat16* x, int64_t ldx, int64_t rows, const bfloat16* panel,
               int64_t K, const float* bias, float* out, int64_t ldo, int64_t columns);
// silu_mul whose result is rounded, for the next matrix.
void gemm_tile_silu_mul(const bfloat16* x, int64_t ldx, int64_t rows, const bfloat16* panel, int64_t K,
                        const float* bias, bfloat16* out, int64_t ldo, int64_t columns);

// out = x / sqrt(mean(x²) + eps) · weight, H numbers.
void rms_norm(const float* x, const float* weight, float eps, int64_t H, float* out);

// One head: pair i is the elements i and i + R/2 of the first R; what is beyond stays. `direction` −1 turns
// back, which is the way of the gradient.
void rotate_head(const float* x, const float* cos, const float* sin, int64_t R, int64_t D, float direction,
                 float* out);

void round_to_bf16(const float* x, int64_t count, bfloat16* out);

// One row and key-value head of attention over the cache, for the `num_queries` query heads that share it.
// q (G, D); D is a multiple of 16; `scale` multiplies the scores. Positions `first` (< 16) to `length` − 1
// are looked at. keys are blocked: (C/16, D, 16) in f32, (C/16, D/2, 16, 2) in bf16; values are (C, D) in
// f32, (C/2, D, 2) in bf16; what lies in the last block past `length` must be finite. `scores` is scratch for
// G x (length rounded up to 16) floats.
void attend(const float* q, int64_t num_queries, int64_t D, const float* keys, const float* values,
            float scale, int64_t first, int64_t length, float* scores, float* out);
void attend(const bfloat16* q, int64_t num_queries, int64_t D, const bfloat16* keys, const bfloat16* values,
            float scale, int64_t first, int64_t length, float* scores, bfloat16* out);

// Sums of exp((x[i] − shift) · scale) over blocks of kSumBlock; the last may be short. Answers the whole sum.
inline constexpr int64_t kSumBlock = 256;
double exp_sums(const float* x, int64_t count, float shift, float scale, float* block_sums);
float largest(const float* x, int64_t count);

}  // namespace rft::engine::kernels
