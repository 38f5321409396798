#include "engine/ppo/value_head.h"

#include <ATen/ATen.h>

namespace rft::engine {

ValueHead ValueHead::zeros(int64_t hidden_size, at::Device device) {
  const at::TensorOptions options = at::TensorOptions(device).dtype(at::kFloat);
  return {at::zeros({1, hidden_size}, options).requires_grad_(), at::zeros({1}, options).requires_grad_()};
}

at::Tensor ValueHead::values(const at::Tensor& hidden) const {
  return at::linear(hidden.to(at::kFloat), weight, bias).squeeze(-1);
}

}  // namespace rft::engine
