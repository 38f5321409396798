// A batch without its padding: the tokens of all rows one behind the other in a single row. Where
// attention keeps to the sequences of a row, nothing is gained by rows of one length, and what is computed of
// padding is lost.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace rft::engine {

// N tokens in all. What stands in a row after the last position that is asked of it changes nothing, and is
// left out, too.
struct Unpadded {
  at::Tensor tokens;            // (N) int64 into B·T
  at::Tensor places;            // (N) int64, of each in its sequence
  at::Tensor positions;         // (M) int64 into N: what is asked
  std::vector<int64_t> counts;  // tokens of each sequence that is asked about
};

// `positions` (M) int64 into B·T, on the CPU.
Unpadded without_padding(const at::Tensor& positions, int64_t B, int64_t T);

}  // namespace rft::engine
