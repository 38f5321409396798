#include "engine/model/kv_cache.h"

#include <ATen/ATen.h>

namespace rft::engine {

KvCache::KvCache(const ModelConfig& config, int64_t num_rows, int64_t capacity_, at::Device device,
                 at::ScalarType dtype)
    : capacity(capacity_) {
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::vector<int64_t> shape = {num_rows, config.num_kv_heads, capacity, config.head_dim};
    // Zeros, not garbage: positions past a row's end are masked, and NaN times a weight of 0 is NaN.
    keys.push_back(at::zeros(shape, options));
    values.push_back(at::zeros(shape, options));
  }
}

void KvCache::fill_row(int64_t row, const std::vector<at::Tensor>& from_keys,
                       const std::vector<at::Tensor>& from_values, int64_t length) {
  for (size_t layer = 0; layer < keys.size(); ++layer) {
    keys[layer][row].narrow(1, 0, length).copy_(from_keys[layer].narrow(1, 0, length));
    values[layer][row].narrow(1, 0, length).copy_(from_values[layer].narrow(1, 0, length));
  }
}

void KvCache::copy_row(int64_t from, int64_t to, int64_t length) {
  for (size_t layer = 0; layer < keys.size(); ++layer) {
    keys[layer][to].narrow(1, 0, length).copy_(keys[layer][from].narrow(1, 0, length));
    values[layer][to].narrow(1, 0, length).copy_(values[layer][from].narrow(1, 0, length));
  }
}

}  // namespace rft::engine
