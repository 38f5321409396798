#include "engine/model/kv_cache.h"

#include <ATen/ATen.h>

#include "engine/model/kernels.h"

namespace rft::engine {
namespace {

using kernels::kKeyBlock;

int64_t whole_blocks(int64_t length) { return (length + kKeyBlock - 1) / kKeyBlock * kKeyBlock; }

// from (K, T, D) -> its first `length` positions as `dtype`, zeros up to a whole block.
at::Tensor padded(const at::Tensor& from, int64_t length, at::ScalarType dtype) {
  return at::constant_pad_nd(from.narrow(1, 0, length).to(dtype), {0, 0, 0, whole_blocks(length) - length});
}

// from (K, T, D), T whole blocks -> the same numbers in the order of blocked keys.
at::Tensor block_keys(const at::Tensor& from) {
  const int64_t K = from.size(0), blocks = from.size(1) / kKeyBlock, D = from.size(2);
  if (from.scalar_type() == at::kFloat) return from.reshape({K, blocks, kKeyBlock, D}).transpose(2, 3);
  return from.reshape({K, blocks, kKeyBlock, D / 2, 2}).transpose(2, 3);
}

at::Tensor block_values(const at::Tensor& from) {
  if (from.scalar_type() == at::kFloat) return from;
  return from.reshape({from.size(0), from.size(1) / 2, 2, from.size(2)}).transpose(2, 3);
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, int64_t num_rows, int64_t capacity_, at::Device device,
                 at::ScalarType dtype, KvLayout layout_)
    : layout(layout_), capacity(whole_blocks(capacity_)) {
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
    if (layout == KvLayout::plain) {
      keys[layer][row].narrow(1, 0, length).copy_(from_keys[layer].narrow(1, 0, length));
      values[layer][row].narrow(1, 0, length).copy_(from_values[layer].narrow(1, 0, length));
      continue;
    }
    const at::Tensor blocked_keys = block_keys(padded(from_keys[layer], length, keys[layer].scalar_type()));
    const at::Tensor blocked_values =
        block_values(padded(from_values[layer], length, values[layer].scalar_type()));
    keys[layer][row].narrow(1, 0, whole_blocks(length)).view(blocked_keys.sizes()).copy_(blocked_keys);
    values[layer][row].narrow(1, 0, whole_blocks(length)).view(blocked_values.sizes()).copy_(blocked_values);
  }
}

void KvCache::copy_row(int64_t from, int64_t to, int64_t length) {
  // Whole blocks: in either layout they are the first numbers of a row.
  length = whole_blocks(length);
  for (size_t layer = 0; layer < keys.size(); ++layer) {
    keys[layer][to].narrow(1, 0, length).copy_(keys[layer][from].narrow(1, 0, length));
    values[layer][to].narrow(1, 0, length).copy_(values[layer][from].narrow(1, 0, length));
  }
}

}  // namespace rft::engine
