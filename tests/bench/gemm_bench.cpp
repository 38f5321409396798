// What this machine can do at most: the rate of large matrix products with the threads given, as one line of
// JSON. The other benchmarks are read as shares of it.
//
//   gemm_bench
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "engine/model/decoder.h"
#include "engine/model/kernels.h"
#include "engine/model/mixed_linear.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSize = 2048;

// GFLOP/s of the best of several products.
template <class Product>
double best_rate(const Product& product) {
  double best_s = 1e9;
  for (int run = 0; run < 8; ++run) {
    const auto start = Clock::now();
    product();
    best_s = std::min(best_s, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 2.0 * kSize * kSize * kSize / best_s / 1e9;
}

}  // namespace

int main() {
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::randn({kSize, kSize}), b = at::randn({kSize, kSize});
  const double f32 = best_rate([&] { return at::linear(a, b); });
  const at::Tensor rounded = b.to(at::kBFloat16);
  const bool in_hardware = rft::engine::kernels::available_bf16();
  const double bf16 = in_hardware ? best_rate([&] { return rft::engine::mixed_linear(a, b, rounded); }) : 0;
  std::printf("{\"float32\": %.0f, \"bfloat16\": %.0f}\n", f32, bf16);
}
