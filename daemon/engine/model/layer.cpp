#include "engine/model/layer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "engine/model/mixed_linear.h"

namespace rft::engine {
namespace {

at::Tensor feed_forward(const LayerWeights& weights, const at::Tensor& x) {
  return apply(weights.down, at::silu(apply(weights.gate, x)) * apply(weights.up, x));
}

double attention_scale(const ModelConfig& config) {
  return 1 / std::sqrt(static_cast<double>(config.head_dim));
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

at::Tensor apply(const Linear& linear, const at::Tensor& x) {
  if (!linear.rounded.defined())
    return linear.bias.defined() ? at::linear(x, linear.weight, linear.bias) : at::linear(x, linear.weight);
  const at::Tensor product = mixed_linear(x, linear.weight, linear.rounded);
  return linear.bias.defined() ? product + linear.bias : product;
}

at::Tensor run_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                     const RopeTable& rope, KeysValues* keep) {
  const int64_t B = x.size(0), T = x.size(1);
  auto heads = [&](const Linear& linear, const at::Tensor& input, int64_t count) {
    return apply(linear, input).view({B, T, count, config.head_dim}).transpose(1, 2);  // (B, count, T, D)
  };
  const at::Tensor normed = rms_norm(x, weights.input_norm, config.norm_eps);
  const at::Tensor q = rotate(heads(weights.q, normed, config.num_heads), rope.cos, rope.sin);
  const at::Tensor k = rotate(heads(weights.k, normed, config.num_kv_heads), rope.cos, rope.sin);
  const at::Tensor v = heads(weights.v, normed, config.num_kv_heads);
  if (keep != nullptr) *keep = {k, v};
  const at::Tensor attended =
      at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true, attention_scale(config),
                                       /*enable_gqa=*/config.num_heads != config.num_kv_heads);
  const at::Tensor residual =
      x + apply(weights.o, attended.transpose(1, 2).reshape({B, T, config.num_heads * config.head_dim}));
  return residual + feed_forward(weights, rms_norm(residual, weights.post_attention_norm, config.norm_eps));
}

at::Tensor step_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                      const RopeTable& rope, const at::Tensor& positions, const at::Tensor& mask,
                      at::Tensor& keys, at::Tensor& values) {
  const int64_t B = x.size(0), T = mask.size(-1);
  auto heads = [&](const Linear& linear, const at::Tensor& input, int64_t count) {
    return apply(linear, input).view({B, count, config.head_dim});  // (B, count, D)
  };
  const at::Tensor cos = rope.cos.unsqueeze(1), sin = rope.sin.unsqueeze(1);  // (B, 1, D)
  const at::Tensor normed = rms_norm(x, weights.input_norm, config.norm_eps);
  const at::Tensor q =
      rotate(heads(weights.q, normed, config.num_heads), cos, sin).unsqueeze(2);  // (B, A, 1, D)
  const at::Tensor rows = at::arange(B, positions.options());
  auto put = [&](at::Tensor& cache, const at::Tensor& heads_of_rows) {
    cache.index_put_({rows, at::indexing::Slice(), positions}, heads_of_rows.to(cache.scalar_type()));
    return cache.narrow(0, 0, B).narrow(2, 0, T).to(at::kFloat);  // (B, K, T, D)
  };
  const at::Tensor k = put(keys, rotate(heads(weights.k, normed, config.num_kv_heads), cos, sin));
  const at::Tensor v = put(values, heads(weights.v, normed, config.num_kv_heads));
  const at::Tensor attended =
      at::scaled_dot_product_attention(q, k, v, mask, 0.0, /*is_causal=*/false, attention_scale(config),
                                       /*enable_gqa=*/config.num_heads != config.num_kv_heads);
  const at::Tensor residual = x + apply(weights.o, attended.reshape({B, config.num_heads * config.head_dim}));
  return residual + feed_forward(weights, rms_norm(residual, weights.post_attention_norm, config.norm_eps));
}

}  // namespace rft::engine
