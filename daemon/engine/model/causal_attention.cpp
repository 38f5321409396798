#include "engine/model/causal_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>

#include "engine/model/attention_kernels.h"
#include "engine/model/kernels.h"

namespace rft::engine {
namespace {

using kernels::AttentionShape;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

AttentionShape shape_of(const at::Tensor& q, const at::Tensor& k, double scale) {
  return {q.size(2), q.size(1) / k.size(1), q.size(3), static_cast<float>(scale)};
}

// Heads `head` and on of row `b` of x (B, heads, T, D).
template <class Number>
kernels::HeadsAt<Number> heads_at(Number* x, const at::Tensor& of, int64_t b, int64_t head) {
  return {x + b * of.stride(0) + head * of.stride(1), of.stride(2), of.stride(1)};
}
kernels::ConstHeads heads_at(const at::Tensor& x, int64_t b, int64_t head) {
  return heads_at(x.const_data_ptr<float>(), x, b, head);
}
kernels::Heads heads_to_fill(const at::Tensor& x, int64_t b, int64_t head) {
  return heads_at(x.data_ptr<float>(), x, b, head);
}

// Like x (B, heads, T, D), laid out as (B, T, heads, D), which is what projections write and read.
at::Tensor empty_heads(const at::Tensor& x) {
  return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options()).transpose(1, 2);
}

// Hands key-value heads to the threads: work(row, head, scratch).
template <class Work>
void for_each_head(const at::Tensor& k, const AttentionShape& shape, const Work& work) {
  const int64_t K = k.size(1);
  at::parallel_for(0, k.size(0) * K, 1, [&](int64_t begin, int64_t end) {
    const auto scratch = std::make_unique_for_overwrite<float[]>(
        static_cast<size_t>(kernels::causal_attention_scratch(shape)));
    for (int64_t i = begin; i < end; ++i) work(i / K, i % K, scratch.get());
  });
}

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, double scale) {
    const AttentionShape shape = shape_of(q, k, scale);
    const at::Tensor out = empty_heads(q), log_sums = at::empty({q.size(0), q.size(1), shape.T}, q.options());
    for_each_head(k, shape, [&](int64_t b, int64_t head, float* scratch) {
      const int64_t first = head * shape.G;  // of the query heads that share it
      kernels::causal_attention(shape, {heads_at(q, b, first), heads_at(k, b, head), heads_at(v, b, head)},
                                heads_to_fill(out, b, first),
                                log_sums.data_ptr<float>() + (b * q.size(1) + first) * shape.T, scratch);
    });
    context->save_for_backward({q, k, v, out, log_sums});
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &log_sums = saved[4];
    const at::Tensor slope = gradients[0].stride(-1) == 1 ? gradients[0] : gradients[0].contiguous();
    const AttentionShape shape = shape_of(q, k, context->saved_data["scale"].toDouble());
    const at::Tensor of_q = empty_heads(q), of_k = empty_heads(k), of_v = empty_heads(v);
    for_each_head(k, shape, [&](int64_t b, int64_t head, float* scratch) {
      const int64_t first = head * shape.G;
      kernels::causal_attention_backward(
          shape, {heads_at(q, b, first), heads_at(k, b, head), heads_at(v, b, head)}, heads_at(out, b, first),
          log_sums.const_data_ptr<float>() + (b * q.size(1) + first) * shape.T, heads_at(slope, b, first),
          {heads_to_fill(of_q, b, first), heads_to_fill(of_k, b, head), heads_to_fill(of_v, b, head)},
          scratch);
    });
    return {of_q, of_k, of_v, at::Tensor()};
  }
};

// The longest sequences for which this is known to be the faster.
constexpr int64_t kLongest = 2048;

bool has_plain_rows(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(-1) == 1;
}

// ATen also shares out the queries of a head, where there are fewer heads than threads.
bool takes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  static const bool available = kernels::available_f32();
  return available && has_plain_rows(q) && has_plain_rows(k) && has_plain_rows(v) && q.size(2) <= kLongest &&
         k.size(0) * k.size(1) >= at::get_num_threads();
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  if (!takes(q, k, v)) return reference::causal_attention(q, k, v, scale);
  return CausalAttention::apply(q, k, v, scale);
}

at::Tensor reference::causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                       double scale) {
  return at::scaled_dot_product_attention(q, k, v, std::nullopt, 0.0, /*is_causal=*/true, scale,
                                          /*enable_gqa=*/q.size(1) != k.size(1));
}

}  // namespace rft::engine
