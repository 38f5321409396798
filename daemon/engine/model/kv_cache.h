// The keys and values of sequences under way. A sequence lives in a row; rows 0 .. B−1 are those under way,
// so that a step works on a prefix of each tensor. Keys are stored rotated. The cache does not know how long
// a row is: whoever drives it says so. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"

namespace rft::engine {

struct KvCache {
  KvCache(const ModelConfig& config, int64_t num_rows, int64_t capacity, at::Device device,
          at::ScalarType dtype);

  // Puts the first `length` keys and values of `from` (per layer: (K, T, D)) into `row`.
  void fill_row(int64_t row, const std::vector<at::Tensor>& from_keys,
                const std::vector<at::Tensor>& from_values, int64_t length);
  // Copies the first `length` positions of row `from` over those of row `to`.
  void copy_row(int64_t from, int64_t to, int64_t length);

  int64_t capacity = 0;            // C: positions in a row
  std::vector<at::Tensor> keys;    // per layer (R, K, C, D)
  std::vector<at::Tensor> values;  // per layer (R, K, C, D)
};

}  // namespace rft::engine
