// Causal attention of training on a CPU with AVX-512: the scores of a few queries exist at a time, near the
// core. Plain functions over plain pointers, compiled for newer instructions than the rest as kernels.h says;
// available where kernels::available_f32() is. No function here starts threads: callers hand out key-value
// heads.
#pragma once

#include <stdint.h>

namespace rft::engine::kernels {

// T positions of G query heads that share one key-value head, all D wide.
struct AttentionShape {
  int64_t T, G, D;
  float scale;  // of the scores
};

// Where the heads stand: element d of position t of head g is at [t · of_position + g · of_head + d].
template <class Number>
struct HeadsAt {
  Number* first;
  int64_t of_position, of_head;
};
using Heads = HeadsAt<float>;
using ConstHeads = HeadsAt<const float>;

struct AttentionInputs {
  ConstHeads q, k, v;  // k and v of one head
};
struct AttentionSlopes {
  Heads q, k, v;
};

// Floats of scratch for either function.
int64_t causal_attention_scratch(const AttentionShape& shape);

// out[t] = Σ_s≤t softmax_s(q[t]·k[s] · scale) v[s]; log_sums (G, T) takes log Σ_s≤t e^(q[t]·k[s] · scale).
void causal_attention(const AttentionShape& shape, const AttentionInputs& inputs, const Heads& out,
                      float* log_sums, float* scratch);

// The gradients under `slope`, that of out. The weights are computed again from log_sums.
void causal_attention_backward(const AttentionShape& shape, const AttentionInputs& inputs,
                               const ConstHeads& out, const float* log_sums, const ConstHeads& slope,
                               const AttentionSlopes& slopes, float* scratch);

}  // namespace rft::engine::kernels
