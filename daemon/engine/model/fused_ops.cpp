#include "engine/model/fused_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/model/kernels.h"
#include "engine/model/training_kernels.h"

namespace rft::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Numbers that are worth a thread.
constexpr int64_t kGrain = 16384;

bool suits(const at::Tensor& x) {
  static const bool available = kernels::available_f32();
  return available && x.is_cpu() && x.scalar_type() == at::kFloat;
}

const float* numbers(const at::Tensor& x) { return x.const_data_ptr<float>(); }

int64_t rows_per_thread(int64_t width) { return std::max<int64_t>(1, kGrain / width); }

struct RmsNorm : Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& given, const at::Tensor& weight,
                            double eps) {
    const at::Tensor x = given.contiguous();
    const int64_t H = x.size(-1), num_rows = x.numel() / H;
    at::Tensor out = at::empty_like(x), factors = at::empty({num_rows}, x.options());
    float *to = out.data_ptr<float>(), *factor = factors.data_ptr<float>();
    at::parallel_for(0, num_rows, rows_per_thread(H), [&](int64_t begin, int64_t end) {
      kernels::rms_norm_rows(numbers(x) + begin * H, numbers(weight), static_cast<float>(eps), end - begin, H,
                             to + begin * H, factor + begin);
    });
    context->save_for_backward({x, weight, factors});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &factors = saved[2];
    const at::Tensor slope = gradients[0].contiguous();
    const int64_t H = x.size(-1), num_rows = x.numel() / H;
    at::Tensor of_x = at::empty_like(x);
    // A row for each thread: their sum does not depend on who comes first.
    at::Tensor of_weight = at::zeros({at::get_num_threads(), H}, x.options());
    float *to = of_x.data_ptr<float>(), *sums = of_weight.data_ptr<float>();
    at::parallel_for(0, num_rows, rows_per_thread(H), [&](int64_t begin, int64_t end) {
      kernels::rms_norm_rows_backward(numbers(x) + begin * H, numbers(weight), numbers(factors) + begin,
                                      numbers(slope) + begin * H, end - begin, H, to + begin * H,
                                      sums + at::get_thread_num() * H);
    });
    return {of_x, of_weight.sum(0), at::Tensor()};
  }
};

struct SiluProduct : Function<SiluProduct> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    at::Tensor out = at::empty_like(gate);
    float* to = out.data_ptr<float>();
    at::parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
      kernels::silu_product(numbers(gate) + begin, numbers(up) + begin, end - begin, to + begin);
    });
    context->save_for_backward({gate, up});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    const at::Tensor slope = gradients[0].contiguous();
    at::Tensor of_gate = at::empty_like(gate), of_up = at::empty_like(up);
    float *to_gate = of_gate.data_ptr<float>(), *to_up = of_up.data_ptr<float>();
    at::parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
      kernels::silu_product_backward(numbers(gate) + begin, numbers(up) + begin, numbers(slope) + begin,
                                     end - begin, to_gate + begin, to_up + begin);
    });
    return {of_gate, of_up};
  }
};

// x (B, A, T, D) with cos, sin (T, R) -> the same, laid out as (B, T, A, D), which is what the projections
// write and attention reads.
at::Tensor turn_heads(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float direction) {
  const int64_t B = x.size(0), A = x.size(1), T = x.size(2), D = x.size(3), R = cos.size(-1);
  at::Tensor out = at::empty({B, T, A, D}, x.options());
  const int64_t of_row = x.stride(0), of_head = x.stride(1), of_position = x.stride(2);
  const float *all = numbers(x), *cosines = numbers(cos), *sines = numbers(sin);
  float* to = out.data_ptr<float>();
  at::parallel_for(0, B * T, rows_per_thread(A * D), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t t = row % T;
      const float* from = all + row / T * of_row + t * of_position;
      for (int64_t a = 0; a < A; ++a) {
        kernels::rotate_head(from + a * of_head, cosines + t * R, sines + t * R, R, D, direction,
                             to + (row * A + a) * D);
      }
    }
  });
  return out.transpose(1, 2);
}

struct Rotation : Function<Rotation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turn_heads(x, cos, sin, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor slope = gradients[0].stride(-1) == 1 ? gradients[0] : gradients[0].contiguous();
    return {turn_heads(slope, saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

struct JointLinear : Function<JointLinear> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, at::TensorList weights) {
    variable_list saved = {x}, products;
    for (const at::Tensor& weight : weights) {
      saved.push_back(weight);
      products.push_back(at::linear(x, weight));
    }
    context->save_for_backward(saved);
    return products;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor x = saved[0].flatten(0, -2);  // (M, in)
    at::Tensor of_x;
    variable_list of_all = {at::Tensor()};
    for (size_t i = 0; i < gradients.size(); ++i) {
      const at::Tensor &weight = saved[i + 1], slope = gradients[i].flatten(0, -2);  // (M, out)
      if (of_x.defined())
        of_x.addmm_(slope, weight);
      else
        of_x = at::mm(slope, weight);
      of_all.push_back(at::mm(slope.t(), x));
    }
    of_all[0] = of_x.view_as(saved[0]);
    return of_all;
  }
};

bool one_table_for_all(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return x.dim() == 4 && x.stride(-1) == 1 && cos.dim() == 2 && cos.size(0) == x.size(2) &&
         cos.is_contiguous() && sin.is_contiguous();
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!suits(x) || !suits(weight) || !weight.is_contiguous()) return reference::rms_norm(x, weight, eps);
  return RmsNorm::apply(x, weight, eps);
}

at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up) {
  if (!suits(gate) || !gate.is_contiguous() || !up.is_contiguous()) return reference::silu_product(gate, up);
  return SiluProduct::apply(gate, up);
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  if (!suits(x) || !one_table_for_all(x, cos, sin)) return reference::rotate(x, cos, sin);
  return Rotation::apply(x, cos, sin);
}

std::vector<at::Tensor> joint_linear(const at::Tensor& x, at::TensorList weights) {
  return JointLinear::apply(x, weights);
}

at::Tensor reference::rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

at::Tensor reference::silu_product(const at::Tensor& gate, const at::Tensor& up) {
  return at::silu(gate) * up;
}

at::Tensor reference::rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t rotated = cos.size(-1), half = rotated / 2, rest = x.size(-1) - rotated;
  const at::Tensor turning = x.narrow(-1, 0, rotated);
  const at::Tensor swapped = at::cat({-turning.narrow(-1, half, half), turning.narrow(-1, 0, half)}, -1);
  const at::Tensor turned = turning * cos + swapped * sin;
  return rest == 0 ? turned : at::cat({turned, x.narrow(-1, rotated, rest)}, -1);
}

}  // namespace rft::engine
