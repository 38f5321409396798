// Random weights as `transformers` starts a Llama: matrices from N(0, initializer_range²), norms that change
// nothing, biases 0.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/model/named_tensor.h"

namespace rft::engine {

// float32 on the CPU, in the order of expected_weights(). Each element is a function of the seed, its
// tensor's place and its own, so the same seed gives the same weights on any machine and number of threads.
std::vector<NamedTensor> random_weights(const ModelConfig& config, uint64_t seed);

}  // namespace rft::engine
