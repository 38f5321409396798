// A tensor and the key that it has in a checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace rft::engine {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

inline std::vector<at::Tensor> tensors_of(const std::vector<NamedTensor>& named) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(named.size());
  for (const NamedTensor& tensor : named) tensors.push_back(tensor.tensor);
  return tensors;
}

}  // namespace rft::engine
