// Random numbers without a state: each is a function of a key and a counter (Philox 4x32-10, Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", 2011). So a sample's numbers depend neither on the batch it
// was drawn in nor on what was drawn before, and a resumed job has no generator to restore.
#pragma once

#include <array>
#include <cstdint>

namespace rft::engine {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

// Ten rounds of Philox 4x32.
PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key);

// The uniform number in (0, 1) that draws token `token` of sample `sample` of prompt `stream` in `iteration`
// of a job seeded with `seed`. 53 bits.
double sampling_uniform(uint64_t seed, uint64_t iteration, uint64_t stream, uint32_t sample, uint32_t token);

// Key and stream of numbers for one named purpose: a 64-bit mix of both (splitmix64).
uint64_t mix(uint64_t seed, uint64_t purpose);

}  // namespace rft::engine
