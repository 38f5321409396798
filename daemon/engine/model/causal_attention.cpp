#include "engine/model/causal_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/model/attention_kernels.h"
#include "engine/model/kernels.h"

namespace rft::engine {
namespace {

using kernels::AttentionShape;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The positions first … first + count of row b: one sequence.
struct Span {
  int64_t b, first, count;
};

std::vector<Span> spans_of(const at::Tensor& x, at::IntArrayRef counts) {
  std::vector<Span> spans;
  int64_t first = 0;
  for (const int64_t count : counts) {
    spans.push_back({0, first, count});
    first += count;
  }
  if (counts.empty())
    for (int64_t b = 0; b < x.size(0); ++b) spans.push_back({b, 0, x.size(2)});
  return spans;
}

// The heads of x (B, heads, T, D) from `head` on, at the positions of a span.
template <class Number>
kernels::HeadsAt<Number> heads_at(Number* numbers, const at::Tensor& x, const Span& span, int64_t head) {
  return {numbers + span.b * x.stride(0) + head * x.stride(1) + span.first * x.stride(2), x.stride(2),
          x.stride(1)};
}
kernels::ConstHeads heads_at(const at::Tensor& x, const Span& span, int64_t head) {
  return heads_at(x.const_data_ptr<float>(), x, span, head);
}
kernels::Heads heads_to_fill(const at::Tensor& x, const Span& span, int64_t head) {
  return heads_at(x.data_ptr<float>(), x, span, head);
}
// Of log_sums (B·T·A): a span's are together, head by head.
float* log_sums_at(const at::Tensor& log_sums, const at::Tensor& q, const Span& span, int64_t head) {
  return log_sums.data_ptr<float>() + (span.b * q.size(2) + span.first) * q.size(1) + head * span.count;
}

// Like x (B, heads, T, D), laid out as (B, T, heads, D), which is what projections write and read.
at::Tensor empty_heads(const at::Tensor& x) {
  return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options()).transpose(1, 2);
}

// Hands the key-value heads of all spans to the threads: work(shape, span, head, scratch). Spans run fastest,
// because their lengths may fall from the first to the last.
template <class Work>
void for_each_head(const at::Tensor& q, const at::Tensor& k, double scale, const std::vector<Span>& spans,
                   const Work& work) {
  const auto num_spans = static_cast<int64_t>(spans.size());
  const auto shape_of = [&](const Span& span) {
    return AttentionShape{span.count, q.size(1) / k.size(1), q.size(3), static_cast<float>(scale)};
  };
  int64_t most = 0;
  for (const Span& span : spans) most = std::max(most, kernels::causal_attention_scratch(shape_of(span)));
  at::parallel_for(0, num_spans * k.size(1), 1, [&](int64_t begin, int64_t end) {
    const auto scratch = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(most));
    for (int64_t i = begin; i < end; ++i) {
      const Span& span = spans[static_cast<size_t>(i % num_spans)];
      work(shape_of(span), span, i / num_spans, scratch.get());
    }
  });
}

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, double scale, at::IntArrayRef counts) {
    const at::Tensor out = empty_heads(q), log_sums = at::empty({q.numel() / q.size(3)}, q.options());
    for_each_head(q, k, scale, spans_of(q, counts),
                  [&](const AttentionShape& shape, const Span& span, int64_t head, float* scratch) {
                    const int64_t first = head * shape.G;  // of the query heads that share it
                    kernels::causal_attention(
                        shape, {heads_at(q, span, first), heads_at(k, span, head), heads_at(v, span, head)},
                        heads_to_fill(out, span, first), log_sums_at(log_sums, q, span, first), scratch);
                  });
    context->save_for_backward({q, k, v, out, log_sums});
    context->saved_data["scale"] = scale;
    context->saved_data["counts"] = counts.vec();
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &log_sums = saved[4];
    const at::Tensor slope = gradients[0].stride(-1) == 1 ? gradients[0] : gradients[0].contiguous();
    const at::Tensor of_q = empty_heads(q), of_k = empty_heads(k), of_v = empty_heads(v);
    for_each_head(q, k, context->saved_data["scale"].toDouble(),
                  spans_of(q, context->saved_data["counts"].toIntVector()),
                  [&](const AttentionShape& shape, const Span& span, int64_t head, float* scratch) {
                    const int64_t first = head * shape.G;
                    kernels::causal_attention_backward(
                        shape, {heads_at(q, span, first), heads_at(k, span, head), heads_at(v, span, head)},
                        heads_at(out, span, first), log_sums_at(log_sums, q, span, first),
                        heads_at(slope, span, first),
                        {heads_to_fill(of_q, span, first), heads_to_fill(of_k, span, head),
                         heads_to_fill(of_v, span, head)},
                        scratch);
                  });
    return {of_q, of_k, of_v, at::Tensor(), at::Tensor()};
  }
};

// The longest sequences for which this is known to be the faster.
constexpr int64_t kLongest = 2048;

bool has_plain_rows(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(-1) == 1;
}

// ATen also shares out the queries of a head, where there are fewer heads than threads.
bool takes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef counts) {
  static const bool available = kernels::available_f32();
  const std::vector<Span> spans = spans_of(q, counts);
  return available && has_plain_rows(q) && has_plain_rows(k) && has_plain_rows(v) &&
         std::all_of(spans.begin(), spans.end(), [](const Span& span) { return span.count <= kLongest; }) &&
         static_cast<int64_t>(spans.size()) * k.size(1) >= at::get_num_threads();
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                            at::IntArrayRef counts) {
  if (!takes(q, k, v, counts)) return reference::causal_attention(q, k, v, scale, counts);
  return CausalAttention::apply(q, k, v, scale, counts);
}

at::Tensor reference::causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                       double scale, at::IntArrayRef counts) {
  const auto attend_rows = [&](const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
    return at::scaled_dot_product_attention(queries, keys, values, std::nullopt, 0.0, /*is_causal=*/true,
                                            scale, /*enable_gqa=*/q.size(1) != k.size(1));
  };
  if (counts.empty()) return attend_rows(q, k, v);
  std::vector<at::Tensor> found;  // of each sequence
  for (const auto& [b, first, count] : spans_of(q, counts))
    found.push_back(
        attend_rows(q.narrow(2, first, count), k.narrow(2, first, count), v.narrow(2, first, count)));
  return at::cat(found, 2);
}

}  // namespace rft::engine
