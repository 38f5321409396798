// The stored reference values of tests/data/ppo_vectors.json (made by make_ppo_vectors.py) as tensors.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace rft::engine::testing {

inline const Json& ppo_vectors() {
  static const Json vectors =
      parse_json(read_file(std::string(RFT_TEST_DATA_DIR) + "/ppo_vectors.json"), "ppo_vectors.json");
  return vectors;
}

// Nested lists of numbers as a tensor of that shape.
inline at::Tensor tensor(const Json& nested, at::ScalarType dtype = at::kFloat) {
  std::vector<int64_t> shape;
  for (const Json* level = &nested; level->is_array(); level = &level->front())
    shape.push_back(level->size());
  std::vector<double> flat;
  const auto collect = [&flat](const Json& json, const auto& self) -> void {
    if (!json.is_array()) {
      flat.push_back(json.is_boolean() ? json.get<bool>() : json.get<double>());
      return;
    }
    for (const Json& item : json) self(item, self);
  };
  collect(nested, collect);
  return at::tensor(flat, at::kDouble).reshape(shape).to(dtype);
}

// Equal within `tolerance`, relative for numbers above 1.
inline ::testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected,
                                        double tolerance = 2e-6) {
  if (!actual.defined()) return ::testing::AssertionFailure() << "the tensor is undefined";
  if (actual.sizes() != expected.sizes()) {
    return ::testing::AssertionFailure() << "shape " << actual.sizes() << ", expected " << expected.sizes();
  }
  const at::Tensor a = actual.detach().to(at::kDouble), e = expected.detach().to(at::kDouble);
  const at::Tensor error = (a - e).abs() / e.abs().clamp_min(1);
  // Written so that a NaN fails.
  if (error.numel() == 0 || (error <= tolerance).all().item<bool>()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "differs by " << error.max().item<double>() << ":\n"
                                       << a << "\nexpected\n"
                                       << e;
}

}  // namespace rft::engine::testing
