#include "engine/model/mixed_linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

// Of MKL, inside libtorch_cpu: bfloat16 factors, float32 sums. ATen has no such product for CPUs.
extern "C" void cblas_gemm_bf16bf16f32(int layout, int transpose_a, int transpose_b, int64_t m, int64_t n,
                                       int64_t k, float alpha, const void* a, int64_t lda, const void* b,
                                       int64_t ldb, float beta, float* c, int64_t ldc);

namespace rft::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;

// op(a) · op(b) of contiguous bfloat16 matrices -> float32.
at::Tensor multiply(const at::Tensor& a, bool transpose_a, const at::Tensor& b, bool transpose_b) {
  if (!a.is_cpu()) return at::matmul(transpose_a ? a.t() : a, transpose_b ? b.t() : b).to(at::kFloat);
  const int64_t m = a.size(transpose_a ? 1 : 0), k = a.size(transpose_a ? 0 : 1),
                n = b.size(transpose_b ? 0 : 1);
  at::Tensor c = at::empty({m, n}, at::kFloat);
  if (m > 0 && n > 0) {
    cblas_gemm_bf16bf16f32(kRowMajor, transpose_a ? kTransposed : kPlain, transpose_b ? kTransposed : kPlain,
                           m, n, k, 1, a.const_data_ptr(), a.size(1), b.const_data_ptr(), b.size(1), 0,
                           c.data_ptr<float>(), n);
  }
  return c;
}

at::Tensor round_rows(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)}).to(at::kBFloat16).contiguous();
}

std::vector<int64_t> with_last(const at::Tensor& x, int64_t extent) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = extent;
  return sizes;
}

struct MixedLinear : torch::autograd::Function<MixedLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*weight*/,
                            const at::Tensor& rounded) {
    const at::Tensor rows = round_rows(x);  // (M, K)
    context->save_for_backward({rows, rounded});
    return multiply(rows, false, rounded, true).view(with_last(x, rounded.size(0)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor slope = round_rows(gradients[0]);  // (M, N)
    at::Tensor of_x, of_weight;
    if (context->needs_input_grad(0)) {
      of_x = multiply(slope, false, saved[1], false);
      of_x = of_x.view(with_last(gradients[0], of_x.size(1)));
    }
    if (context->needs_input_grad(1)) of_weight = multiply(slope, true, saved[0], false);
    return {of_x, of_weight, at::Tensor()};
  }
};

struct MixedLoraLinear : torch::autograd::Function<MixedLoraLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& a,
                            const at::Tensor& b, double scale, const at::Tensor& rounded) {
    const at::Tensor rows = round_rows(x);  // (M, K)
    context->save_for_backward({rows, rounded, a.to(at::kBFloat16), b.to(at::kBFloat16)});
    context->saved_data["scale"] = scale;
    return multiply(rows, false, rounded, true).view(with_last(x, rounded.size(0)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &rounded = saved[1], &a = saved[2], &b = saved[3];
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor slope = round_rows(gradients[0]);  // (M, N)
    at::Tensor of_x;
    if (context->needs_input_grad(0)) {
      of_x = multiply(slope, false, rounded, false);
      of_x = of_x.view(with_last(gradients[0], of_x.size(1)));
    }
    const at::Tensor inner = round_rows(multiply(rows, false, a, true));          // (M, r) x·aᵀ
    const at::Tensor inner_slope = round_rows(multiply(slope, false, b, false));  // (M, r)
    return {of_x, multiply(inner_slope, true, rows, false).mul_(scale),
            multiply(slope, true, inner, false).mul_(scale), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor mixed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rounded) {
  return MixedLinear::apply(x, weight, rounded);
}

at::Tensor mixed_lora_linear(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b, double scale,
                             const at::Tensor& rounded) {
  return MixedLoraLinear::apply(x, a, b, scale, rounded);
}

}  // namespace rft::engine
