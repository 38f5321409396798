#include "engine/model/layer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "engine/model/causal_attention.h"
#include "engine/model/fused_ops.h"
#include "engine/model/mixed_linear.h"

namespace rft::engine {
namespace {

at::Tensor activate(Activation activation, const at::Tensor& x) {
  if (activation == Activation::silu) return at::silu(x);
  return at::gelu(x, activation == Activation::gelu_tanh ? "tanh" : "none");
}

// What several linears make of the same x.
std::vector<at::Tensor> apply_each(std::initializer_list<const Linear*> linears, const at::Tensor& x) {
  std::vector<at::Tensor> weights, results;
  for (const Linear* linear : linears) {
    const bool plain = !linear->rounded.defined() && !linear->lora.a.defined() && !linear->bias.defined();
    if (plain && linear->weight.requires_grad()) weights.push_back(linear->weight);
  }
  if (weights.size() == linears.size()) return joint_linear(x, weights);
  for (const Linear* linear : linears) results.push_back(apply(*linear, x));
  return results;
}

at::Tensor feed_forward(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x) {
  if (!config.gated_mlp) return apply(weights.down, activate(config.activation, apply(weights.up, x)));
  const auto both = weights.gate_up.weight.defined() ? apply(weights.gate_up, x).chunk(2, -1)
                                                     : apply_each({&weights.gate, &weights.up}, x);
  const at::Tensor &gate = both[0], &up = both[1];  // (…, I)
  if (config.activation == Activation::silu) return apply(weights.down, silu_product(gate, up));
  return apply(weights.down, activate(config.activation, gate) * up);
}

struct Heads {
  at::Tensor q, k, v;  // (B, A, T, D), (B, K, T, D), (B, K, T, D)
};

// Queries, keys and values of x (B, T, H), normed and rotated as the family does.
Heads project(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
              const RopeTable& rope) {
  const int64_t B = x.size(0), T = x.size(1), D = config.head_dim;
  const int64_t kv_width = config.num_kv_heads * D;
  const auto parts =
      weights.qkv.weight.defined()
          ? apply(weights.qkv, x).split_with_sizes({config.num_heads * D, kv_width, kv_width}, -1)
          : apply_each({&weights.q, &weights.k, &weights.v}, x);
  const Heads flat = {parts[0], parts[1], parts[2]};  // (B, T, heads·D)
  auto heads = [&](const at::Tensor& of_all, const Norm& norm, int64_t count) {
    if (config.qk_norm_is_per_head) return apply(config, norm, of_all.view({B, T, count, D})).transpose(1, 2);
    return apply(config, norm, of_all).view({B, T, count, D}).transpose(1, 2);
  };
  auto placed = [&](const at::Tensor& x_of_heads) {
    return rope.cos.defined() ? rotate(x_of_heads, rope.cos, rope.sin) : x_of_heads;
  };
  return {placed(heads(flat.q, weights.q_norm, config.num_heads)),
          placed(heads(flat.k, weights.k_norm, config.num_kv_heads)), heads(flat.v, {}, config.num_kv_heads)};
}

// What the fused operation cannot: soft-capped scores. q (B, A, S, D), k and v (B, K, T, D).
at::Tensor attend_capped(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const at::Tensor& mask, double scale, double cap) {
  const int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  const at::Tensor scores = soft_cap(at::matmul(q, keys.transpose(2, 3)) * scale, cap);  // (B, A, S, T)
  const at::Tensor may_look =
      mask.defined() ? mask : at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool)).tril();
  const at::Tensor masked =
      scores.masked_fill(may_look.logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(masked, -1), values);
}

// -> (B, A, S, D)
at::Tensor attend(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& q,
                  const at::Tensor& k, const at::Tensor& v, const Placement& placement) {
  const at::Tensor& mask = placement.mask;
  const double scale = attention_scale(config, weights.switches);
  if (config.attention_softcap > 0) return attend_capped(q, k, v, mask, scale, config.attention_softcap);
  if (!mask.defined()) return causal_attention(q, k, v, scale, placement.counts);
  return at::scaled_dot_product_attention(q, k, v, mask, 0.0, /*is_causal=*/false, scale,
                                          /*enable_gqa=*/config.num_heads != config.num_kv_heads);
}

// What attention found, (…, A·D), into the residual stream (…, H), and through the feed-forward: (…, H).
at::Tensor finish(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                  const at::Tensor& attended) {
  auto add = [&](const at::Tensor& stream, const at::Tensor& branch) {
    return config.residual_multiplier == 1 ? stream + branch : stream + branch * config.residual_multiplier;
  };
  const at::Tensor residual =
      add(x, apply(config, weights.attention_output_norm, apply(weights.o, attended)));
  const at::Tensor found = feed_forward(config, weights, apply(config, weights.mlp_norm, residual));
  return add(residual, apply(config, weights.mlp_output_norm, found));
}

// (B, A, T, D) -> (B, T, A·D)
at::Tensor join_heads(const at::Tensor& x) { return x.transpose(1, 2).flatten(2); }

// What each token of x (B, T, H) finds in its sequence: (B, T, A·D).
at::Tensor attend_sequences(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                            const Placement& placement, KeysValues* keep) {
  const auto [q, k, v] = project(config, weights, apply(config, weights.attention_norm, x), placement.rope);
  if (keep != nullptr) *keep = {k, v};
  return join_heads(attend(config, weights, q, k, v, placement));
}

}  // namespace

double attention_scale(const ModelConfig& config, const LayerSwitches& switches) {
  if (switches.attention_scale != 0) return switches.attention_scale;
  return 1 / std::sqrt(static_cast<double>(config.head_dim));
}

at::Tensor apply(const ModelConfig& config, const Norm& norm, const at::Tensor& x) {
  if (!norm.weight.defined()) return x;
  switch (config.norm) {
    case NormType::rms:
      return rms_norm(x, norm.weight, config.norm_eps);
    case NormType::rms_plus_one:
      return rms_norm(x, norm.weight + 1, config.norm_eps);
    case NormType::layer_norm:
      return at::layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, config.norm_eps);
  }
  return x;
}

at::Tensor merged_weight(const Linear& linear) {
  const LoraFactors& lora = linear.lora;
  if (!lora.a.defined()) return linear.weight.detach();
  return at::addmm(linear.weight.detach(), lora.b.detach(), lora.a.detach(), 1, lora.scale);
}

at::Tensor apply(const Linear& linear, const at::Tensor& x) {
  const LoraFactors& lora = linear.lora;
  if (!linear.rounded.defined()) {
    const at::Tensor product =
        linear.bias.defined() ? at::linear(x, linear.weight, linear.bias) : at::linear(x, linear.weight);
    return lora.a.defined() ? product + at::linear(at::linear(x, lora.a) * lora.scale, lora.b) : product;
  }
  const at::Tensor product = lora.a.defined()
                                 ? mixed_lora_linear(x, lora.a, lora.b, lora.scale, linear.rounded)
                                 : mixed_linear(x, linear.weight, linear.rounded);
  return linear.bias.defined() ? product + linear.bias : product;
}

at::Tensor soft_cap(const at::Tensor& x, double cap) { return at::tanh(x / cap) * cap; }

at::Tensor run_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                     const Placement& placement, KeysValues* keep) {
  return finish(config, weights, x, attend_sequences(config, weights, x, placement, keep));
}

at::Tensor run_layer_at(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                        const Placement& placement, const at::Tensor& positions) {
  const auto at_positions = [&positions](const at::Tensor& of_all) {
    return of_all.flatten(0, 1).index_select(0, positions);
  };
  const at::Tensor attended = attend_sequences(config, weights, x, placement, nullptr);
  return finish(config, weights, at_positions(x), at_positions(attended));
}

at::Tensor step_layer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                      const Placement& placement, const at::Tensor& positions, at::Tensor& keys,
                      at::Tensor& values) {
  const int64_t B = x.size(0), T = placement.mask.size(-1);
  const at::Tensor stream = x.unsqueeze(1);  // (B, 1, H): sequences of one
  const auto [q, k, v] =
      project(config, weights, apply(config, weights.attention_norm, stream), placement.rope);
  const at::Tensor rows = at::arange(B, positions.options());
  auto put = [&](at::Tensor& cache, const at::Tensor& of_rows) {  // (B, K, 1, D) -> (B, K, T, D)
    cache.index_put_({rows, at::indexing::Slice(), positions}, of_rows.squeeze(2).to(cache.scalar_type()));
    return cache.narrow(0, 0, B).narrow(2, 0, T).to(at::kFloat);
  };
  const at::Tensor all_keys = put(keys, k), all_values = put(values, v);
  const at::Tensor attended = attend(config, weights, q, all_keys, all_values, placement);
  return finish(config, weights, stream, join_heads(attended)).squeeze(1);
}

}  // namespace rft::engine
