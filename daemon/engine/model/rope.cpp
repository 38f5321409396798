#include "engine/model/rope.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rft::engine {
namespace {

// 0, 2/R, 4/R, …: (R/2) float32.
at::Tensor exponents(int64_t R) {
  return at::arange(0, R, 2, at::kLong).to(at::kFloat) / static_cast<double>(R);
}

at::Tensor plain_frequencies(double theta, int64_t R) { return 1.0 / at::pow(theta, exponents(R)); }

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

// NTK: theta grows with the sequence beyond the trained context, so that the slowest pair still covers it.
at::Tensor dynamic_frequencies(const RopeConfig& rope, int64_t R, int64_t length) {
  const auto context = static_cast<double>(rope.original_max_positions);
  const double stretch =
      rope.factor * static_cast<double>(std::max(length, rope.original_max_positions)) / context -
      (rope.factor - 1);
  const double exponent = static_cast<double>(R) / static_cast<double>(R - 2);
  return plain_frequencies(rope.theta * std::pow(stretch, exponent), R);
}

// YaRN: pairs that turn more than beta_fast times in the trained context are kept, those that turn less than
// beta_slow times are stretched, with a linear ramp between.
at::Tensor yarn_frequencies(const RopeConfig& rope, int64_t R) {
  const auto context = static_cast<double>(rope.original_max_positions), width = static_cast<double>(R);
  auto pair_that_turns = [&](double times) {
    return width * std::log(context / (times * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
  };
  double low = pair_that_turns(rope.beta_fast), high = pair_that_turns(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  const at::Tensor ramp = ((at::arange(R / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  const at::Tensor kept = plain_frequencies(rope.theta, R);
  return kept / rope.factor * ramp + kept * (1 - ramp);
}

at::Tensor longrope_frequencies(const RopeConfig& rope, int64_t R, int64_t length) {
  const std::vector<double>& factors =
      length > rope.original_max_positions ? rope.long_factors : rope.short_factors;
  return plain_frequencies(rope.theta, R) / at::tensor(factors, at::kFloat);
}

// The shortest length with the frequencies of `length`.
int64_t representative(const RopeConfig& rope, int64_t length) {
  if (rope.type == RopeType::dynamic) return std::max(length, rope.original_max_positions);
  if (rope.type == RopeType::longrope)
    return length > rope.original_max_positions ? rope.original_max_positions + 1 : 1;
  return 1;
}

}  // namespace

at::Tensor rope_frequencies(const RopeConfig& rope, int64_t head_dim, int64_t length) {
  const int64_t R = rope.width == 0 ? head_dim : rope.width;
  switch (rope.type) {
    case RopeType::plain:
      break;
    case RopeType::linear:
      return plain_frequencies(rope.theta, R) / rope.factor;
    case RopeType::llama3:
      return llama3_frequencies(plain_frequencies(rope.theta, R), rope);
    case RopeType::dynamic:
      return dynamic_frequencies(rope, R, length);
    case RopeType::yarn:
      return yarn_frequencies(rope, R);
    case RopeType::longrope:
      return longrope_frequencies(rope, R, length);
  }
  return plain_frequencies(rope.theta, R);
}

RopeTables::RopeTables(RopeConfig rope, int64_t head_dim, at::Device device)
    : rope_(std::move(rope)), head_dim_(head_dim), device_(device) {}

// positions (P), frequencies (R/2) or (P, R/2) -> (P, R)
RopeTable RopeTables::table(const at::Tensor& positions, const at::Tensor& frequencies) const {
  const at::Tensor half = positions.unsqueeze(-1) * frequencies;
  const at::Tensor angles = at::cat({half, half}, -1);
  return {(angles.cos() * rope_.attention_factor).to(device_),
          (angles.sin() * rope_.attention_factor).to(device_)};
}

RopeTable RopeTables::of_sequences(int64_t T, std::span<const int64_t> lengths) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> kinds;
  for (const int64_t length : lengths) kinds.push_back(representative(rope_, length));
  const bool alike = std::adjacent_find(kinds.begin(), kinds.end(), std::not_equal_to<>()) == kinds.end();
  if (alike && kinds.at(0) == representative(rope_, 1)) {
    const RopeTable& all = of_steps(T);
    return {all.cos.narrow(0, 0, T), all.sin.narrow(0, 0, T)};
  }
  const at::Tensor positions = at::arange(T, at::kFloat);
  std::vector<at::Tensor> cos, sin;
  for (const int64_t kind : alike ? std::vector<int64_t>{kinds[0]} : kinds) {
    const RopeTable one = table(positions, rope_frequencies(rope_, head_dim_, kind));
    cos.push_back(one.cos);
    sin.push_back(one.sin);
  }
  return {at::stack(cos).unsqueeze(1), at::stack(sin).unsqueeze(1)};
}

const RopeTable& RopeTables::of_steps(int64_t num_positions) {
  if (steps_.cos.defined() && steps_.cos.size(0) >= num_positions) return steps_;
  const at::NoGradGuard no_grad;
  const int64_t P = (num_positions + 255) / 256 * 256;
  std::vector<at::Tensor> frequencies;  // (R/2) of each position
  int64_t kind = 0;
  for (int64_t p = 0; p < P; ++p) {
    const int64_t next = representative(rope_, p + 1);
    frequencies.push_back(next == kind ? frequencies.back() : rope_frequencies(rope_, head_dim_, next));
    kind = next;
  }
  steps_ = table(at::arange(P, at::kFloat), at::stack(frequencies));
  return steps_;
}

}  // namespace rft::engine
