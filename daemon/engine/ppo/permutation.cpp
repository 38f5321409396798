#include "engine/ppo/permutation.h"

#include <numeric>
#include <utility>

namespace rft::engine {
namespace {

// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection that scatters neighbouring inputs.
uint64_t scatter(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

std::vector<int64_t> permutation(int64_t size, uint64_t seed, uint64_t iteration, uint64_t epoch) {
  uint64_t state = scatter(seed + kGolden);
  state = scatter(state ^ (iteration + kGolden));
  state = scatter(state ^ (epoch + kGolden));
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = size - 1; i > 0; --i) {
    state += kGolden;
    // The high half of a 128-bit product is a uniform number below i + 1 (bias under size / 2^64).
    const auto wide = static_cast<unsigned __int128>(scatter(state)) * static_cast<uint64_t>(i + 1);
    std::swap(order[i], order[static_cast<int64_t>(wide >> 64)]);
  }
  return order;
}

}  // namespace rft::engine
