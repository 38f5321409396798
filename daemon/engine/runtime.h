// How the engine uses the machine: threads, device, precision of the computation.
#pragma once

#include <cstdint>
#include <string>

#include "engine/model/decoder.h"

namespace rft::engine {

// Threads of every tensor operation from now on; 0 leaves what OpenMP decides. Called once, before any tensor
// is made.
void set_num_threads(int64_t num_threads);

// The process keeps up to 1 GiB of what it frees for its next tensors. Called once, before any tensor is
// made.
void reuse_freed_memory();

// `device` is "cpu" or "cuda"; `dtype` is "float32", "bfloat16" or "auto" (what is fast on the device). Loads
// LibTorch's CUDA libraries for "cuda". Throws Error(invalid_argument) for another name, Error(resource)
// where there is no such device, with the reason.
DecoderOptions decoder_options(const std::string& device, const std::string& dtype);

}  // namespace rft::engine
