// What a model says at some positions of one sequence: for looking at a model, not for training.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/decoder.h"

namespace rft::engine {

struct PositionLogits {
  std::vector<float> logits;      // (V)
  std::optional<float> log_prob;  // of the token that follows in the sequence; nothing after the last
};

// One answer per position, in the order asked. Throws Error(invalid_argument) for a position outside the
// sequence.
std::vector<PositionLogits> logits_at(const Decoder& decoder, std::span<const int64_t> ids,
                                      std::span<const int64_t> positions);

}  // namespace rft::engine
