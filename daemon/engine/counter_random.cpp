#include "engine/counter_random.h"

namespace rft::engine {
namespace {

uint64_t splitmix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

uint64_t mix(uint64_t seed, uint64_t purpose) { return splitmix(splitmix(seed) ^ purpose); }

double sampling_uniform(uint64_t seed, uint64_t iteration, uint64_t stream, uint32_t sample, uint32_t token) {
  const uint64_t key = mix(seed, iteration);
  const PhiloxCounter bits =
      philox({token, sample, static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
             {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
  const uint64_t word = (uint64_t{bits[0]} << 32 | bits[1]) >> 11;  // 53 bits
  return (static_cast<double>(word) + 0.5) * 0x1p-53;
}

}  // namespace rft::engine
