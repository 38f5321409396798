// Orders without a generator: the order depends on nothing but its keys, so there is no state to save and a
// resumed run goes on in the same order. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace rft::engine {

// A permutation of 0 … size-1 that is a function of (seed, iteration, epoch) alone; each of the size!
// permutations is equally likely over the seeds, up to the generator's quality (SplitMix64).
std::vector<int64_t> permutation(int64_t size, uint64_t seed, uint64_t iteration, uint64_t epoch);

}  // namespace rft::engine
