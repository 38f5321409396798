// The next token of a row of logits, by inverse CDF: one uniform number decides, so a sample depends on its
// own logits and its own number alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace rft::engine {

// How the distribution is cut before a token is drawn, in this order. Log-probs are never of the cut one.
struct SamplingFilter {
  double temperature = 1;  // divides the logits; 0: greedy, the first of the largest
  int64_t top_k = 0;       // the k most probable, with all that equal the k-th; 0: off
  double top_p = 1;        // of what is left, the most probable that together reach p; 1: off
};

struct Draw {
  std::vector<int64_t> ids;      // (B)
  std::vector<float> log_probs;  // (B), under the whole distribution at the temperature (at 1 when greedy)
};

// logits (B, V) float32 on the CPU, contiguous; uniforms (B), each in (0, 1).
Draw sample(const at::Tensor& logits, const SamplingFilter& filter, std::span<const double> uniforms);

}  // namespace rft::engine
