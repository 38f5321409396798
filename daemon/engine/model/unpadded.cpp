#include "engine/model/unpadded.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace rft::engine {

Unpadded without_padding(const at::Tensor& positions, int64_t B, int64_t T) {
  const at::Tensor asked = positions.contiguous();
  const at::ArrayRef<int64_t> all(asked.const_data_ptr<int64_t>(), static_cast<size_t>(asked.numel()));
  std::vector<int64_t> counts(static_cast<size_t>(B), 0);
  for (const int64_t position : all) counts[position / T] = std::max(counts[position / T], position % T + 1);

  std::vector<int64_t> tokens, places, begins;
  for (int64_t b = 0; b < B; ++b) {
    begins.push_back(static_cast<int64_t>(tokens.size()));
    for (int64_t t = 0; t < counts[b]; ++t) {
      tokens.push_back(b * T + t);
      places.push_back(t);
    }
  }
  Unpadded result{at::tensor(tokens, at::kLong), at::tensor(places, at::kLong), at::empty_like(asked), {}};
  int64_t* to = result.positions.data_ptr<int64_t>();
  for (const int64_t position : all) *to++ = begins[position / T] + position % T;
  std::copy_if(counts.begin(), counts.end(), std::back_inserter(result.counts),
               [](int64_t count) { return count > 0; });
  return result;
}

}  // namespace rft::engine
