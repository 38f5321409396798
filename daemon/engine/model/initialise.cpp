#include "engine/model/initialise.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "engine/counter_random.h"

namespace rft::engine {
namespace {

// Four numbers of N(0, 1) from one Philox block, by Box and Muller.
std::array<double, 4> normals(PhiloxCounter bits) {
  std::array<double, 4> result{};
  for (size_t pair = 0; pair < 4; pair += 2) {
    const double radius = std::sqrt(-2 * std::log((bits[pair] + 0.5) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * (bits[pair + 1] * 0x1p-32);
    result[pair] = radius * std::cos(angle);
    result[pair + 1] = radius * std::sin(angle);
  }
  return result;
}

at::Tensor normal_tensor(const std::vector<int64_t>& shape, double deviation, uint64_t key) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* out = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); i += 4) {
    const auto block = static_cast<uint64_t>(i / 4);
    const auto numbers =
        normals(philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
                       {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)}));
    for (int64_t j = 0; j < std::min<int64_t>(4, tensor.numel() - i); ++j)
      out[i + j] = static_cast<float>(deviation * numbers[static_cast<size_t>(j)]);
  }
  return tensor;
}

}  // namespace

std::vector<NamedTensor> random_weights(const ModelConfig& config, uint64_t seed) {
  std::vector<NamedTensor> weights;
  for (const WeightSpec& spec : expected_weights(config)) {
    const bool is_bias = spec.name.ends_with(".bias"), is_norm = spec.shape.size() == 1 && !is_bias;
    const bool is_zero = is_bias || (is_norm && config.norm == NormType::rms_plus_one);
    at::Tensor tensor = is_zero ? at::zeros(spec.shape, at::kFloat)
                        : is_norm
                            ? at::ones(spec.shape, at::kFloat)
                            : normal_tensor(spec.shape, config.initializer_range, mix(seed, weights.size()));
    weights.push_back({spec.name, std::move(tensor)});
  }
  return weights;
}

}  // namespace rft::engine
