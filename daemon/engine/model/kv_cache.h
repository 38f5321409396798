// The keys and values of sequences under way. A sequence lives in a row; rows 0 .. B−1 are those under way,
// so that a step works on a prefix of each tensor. Keys are stored rotated. The cache does not know how long
// a row is: whoever drives it says so. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"

namespace rft::engine {

// How a row's (C, D) numbers lie. plain: as written. blocked: as the packed step reads them: keys as
// (C/16, D, 16), values as (C, D); in bfloat16 by pairs, keys (C/16, D/2, 16, 2) and values (C/2, D, 2).
enum class KvLayout { plain, blocked };

struct KvCache {
  KvCache(const ModelConfig& config, int64_t num_rows, int64_t capacity, at::Device device,
          at::ScalarType dtype, KvLayout layout);

  // Puts the first `length` keys and values of `from` (per layer: (K, T, D)) into `row`.
  void fill_row(int64_t row, const std::vector<at::Tensor>& from_keys,
                const std::vector<at::Tensor>& from_values, int64_t length);
  // Copies the first `length` positions of row `from` over those of row `to`.
  void copy_row(int64_t from, int64_t to, int64_t length);

  KvLayout layout;
  int64_t capacity = 0;            // C: positions in a row, at least as many as were asked for
  std::vector<at::Tensor> keys;    // per layer (R, K, C, D), the last two as the layout says
  std::vector<at::Tensor> values;  // per layer (R, K, C, D)
};

}  // namespace rft::engine
