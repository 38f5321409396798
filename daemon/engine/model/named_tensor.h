// A tensor and the key that it has in a checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace rft::engine {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

}  // namespace rft::engine
