// Rotary position embeddings, in the rotate-half layout of Hugging Face checkpoints: with R rotated elements
// of a head's D, pair i is the elements i and i + R/2. Angles are float32, as the checkpoints were trained.
//
// Under dynamic and longrope scaling the frequencies depend on the length of the sequence: `transformers`
// rotates all of it as its length asks for, while a cache keeps the keys of earlier steps as they were.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/model/model_config.h"

namespace rft::engine {

// Radians per position of each pair, (R/2) float32 on the CPU, for a sequence of `length`.
at::Tensor rope_frequencies(const RopeConfig& rope, int64_t head_dim, int64_t length);

struct RopeTable {
  at::Tensor cos;  // (P, R), both halves alike
  at::Tensor sin;  // (P, R)
};

// The tables of one embedding, made and grown as they are asked for. Not thread-safe.
class RopeTables {
 public:
  RopeTables(RopeConfig rope, int64_t head_dim, at::Device device);

  // (T, R): positions 0 .. T−1 of sequences of `lengths`; (B, 1, T, R) where their lengths make a difference.
  RopeTable of_sequences(int64_t T, std::span<const int64_t> lengths);

  // (P, R) with P >= num_positions: position p as the last of a sequence of p + 1, which is what a step sees.
  const RopeTable& of_steps(int64_t num_positions);

 private:
  RopeTable table(const at::Tensor& positions, const at::Tensor& frequencies) const;

  RopeConfig rope_;
  int64_t head_dim_;
  at::Device device_;
  RopeTable steps_;
};

}  // namespace rft::engine
