#include "engine/model/rope.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace rft::engine {
namespace {

// Llama 3.1: wavelengths longer than the trained context / low_freq_factor are stretched by `factor`, those
// shorter than context / high_freq_factor are kept, and those between are blended.
at::Tensor llama3_frequencies(const at::Tensor& frequencies, const RopeConfig& rope) {
  const auto context = static_cast<double>(rope.original_max_positions);
  const at::Tensor wavelengths = 2 * std::numbers::pi / frequencies;
  const at::Tensor stretched = frequencies / rope.factor;
  const at::Tensor blend =
      (context / wavelengths - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  const at::Tensor blended = (1 - blend) * stretched + blend * frequencies;
  const at::Tensor result = at::where(wavelengths > context / rope.low_freq_factor, stretched, frequencies);
  const at::Tensor between =
      (wavelengths <= context / rope.low_freq_factor) & (wavelengths >= context / rope.high_freq_factor);
  return at::where(between, blended, result);
}

}  // namespace

at::Tensor rope_frequencies(const ModelConfig& config) {
  const at::Tensor exponents =
      at::arange(0, config.head_dim, 2, at::kLong).to(at::kFloat) / static_cast<double>(config.head_dim);
  const at::Tensor plain = 1.0 / at::pow(config.rope.theta, exponents);  // (D/2)
  switch (config.rope.type) {
    case RopeType::plain:
      return plain;
    case RopeType::linear:
      return plain / config.rope.factor;
    case RopeType::llama3:
      return llama3_frequencies(plain, config.rope);
  }
  return plain;
}

RopeTable make_rope_table(const ModelConfig& config, int64_t num_positions, at::Device device) {
  const at::Tensor positions = at::arange(num_positions, at::kFloat);
  const at::Tensor half = at::outer(positions, rope_frequencies(config));  // (P, D/2)
  const at::Tensor angles = at::cat({half, half}, -1);                     // (P, D)
  return {angles.cos().to(device), angles.sin().to(device)};
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(-1) / 2;
  const at::Tensor rotated = at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
  return x * cos + rotated * sin;
}

}  // namespace rft::engine
