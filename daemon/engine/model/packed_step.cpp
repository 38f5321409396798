#include "engine/model/packed_step.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "engine/model/kernels.h"

namespace rft::engine {
namespace {

using kernels::bfloat16;
using kernels::Epilogue;
using kernels::kKeyBlock;
using kernels::kMaxTileRows;
using kernels::kPanel;

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class T>
T* data_of(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

PackedMatrix pack(const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype) {
  PackedMatrix packed;
  packed.N = weight.size(0);
  packed.K = weight.size(1);
  const int64_t num_panels = round_up(packed.N, kPanel) / kPanel;
  const int64_t padding = num_panels * kPanel - packed.N;
  const at::Tensor panels =
      at::constant_pad_nd(weight.detach(), {0, 0, 0, padding}).to(dtype).view({num_panels, kPanel, packed.K});
  packed.data = dtype == at::kFloat
                    ? panels.transpose(1, 2).contiguous()
                    : panels.view({num_panels, kPanel, packed.K / 2, 2}).transpose(1, 2).contiguous();
  packed.bias = bias.defined() ? at::constant_pad_nd(bias.detach(), {0, padding})
                               : at::zeros({num_panels * kPanel}, at::kFloat);
  return packed;
}

PackedMatrix pack(const Linear& linear, at::ScalarType dtype) {
  return pack(merged_weight(linear), linear.bias, dtype);
}

// Rows of a and b alternately, 16 at a time; both padded with zeros to a multiple of 16.
at::Tensor interleave(const at::Tensor& a, const at::Tensor& b) {
  std::vector<int64_t> padding(static_cast<size_t>(2 * a.dim()), 0);
  padding.back() = round_up(a.size(0), 16) - a.size(0);
  auto blocks = [&](const at::Tensor& x) {
    const at::Tensor padded = at::constant_pad_nd(x.detach(), padding);
    return a.dim() == 2 ? padded.view({-1, 16, x.size(1)}) : padded.view({-1, 16});
  };
  return at::cat({blocks(a), blocks(b)}, 1).flatten(0, 1);
}

PackedMatrix pack_gate_up(const LayerWeights& layer, at::ScalarType dtype) {
  Linear gate = layer.gate, up = layer.up;
  if (layer.gate_up.weight.defined()) {
    const auto weights = merged_weight(layer.gate_up).chunk(2);
    gate.weight = weights[0];
    up.weight = weights[1];
  }
  PackedMatrix packed = pack(interleave(merged_weight(gate), merged_weight(up)),
                             gate.bias.defined() ? interleave(gate.bias, up.bias) : at::Tensor(), dtype);
  packed.N = gate.weight.size(0);  // of the product that comes out
  return packed;
}

PackedMatrix pack_qkv(const LayerWeights& layer, at::ScalarType dtype) {
  if (layer.qkv.weight.defined()) return pack(layer.qkv, dtype);
  const bool biased = layer.q.bias.defined();
  return pack(at::cat({merged_weight(layer.q), merged_weight(layer.k), merged_weight(layer.v)}),
              biased ? at::cat({layer.q.bias, layer.k.bias, layer.v.bias}) : at::Tensor(), dtype);
}

// What a root-mean-square norm multiplies with; undefined where there is none.
at::Tensor norm_factors(const ModelConfig& config, const Norm& norm) {
  if (!norm.weight.defined()) return {};
  return config.norm == NormType::rms_plus_one ? norm.weight.detach() + 1 : norm.weight.detach();
}

// Hands the tiles of x (B, K) · Wᵀ to the threads, panel by panel so that each panel is read by one thread
// while it is in its cache; `columns_per_panel` is what a panel adds to the output.
template <class Tile>
void for_each_tile(int64_t B, const PackedMatrix& W, int64_t columns_per_panel, const Tile& tile) {
  if (B == 0) return;
  const int64_t num_panels = round_up(W.N, columns_per_panel) / columns_per_panel;
  const int64_t num_blocks = (B + kMaxTileRows - 1) / kMaxTileRows;
  const int64_t rows = (B + num_blocks - 1) / num_blocks;  // even blocks: none is left with a few rows
  at::parallel_for(0, num_panels * num_blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / num_blocks, row = i % num_blocks * rows;
      if (row >= B) continue;
      tile(panel, row, std::min(rows, B - row), std::min(columns_per_panel, W.N - panel * columns_per_panel));
    }
  });
}

template <class T>
void multiply(Epilogue epilogue, const at::Tensor& x, int64_t B, const PackedMatrix& W,
              const at::Tensor& out) {
  const int64_t ldo = out.size(1);
  for_each_tile(B, W, kPanel, [&](int64_t panel, int64_t row, int64_t rows, int64_t columns) {
    kernels::gemm_tile(epilogue, data_of<const T>(x) + row * W.K, W.K, rows,
                       data_of<const T>(W.data) + panel * kPanel * W.K, W.K,
                       data_of<const float>(W.bias) + panel * kPanel,
                       data_of<float>(out) + row * ldo + panel * kPanel, ldo, columns);
  });
}

template <class T>
void multiply_silu(const at::Tensor& x, int64_t B, const PackedMatrix& W, const at::Tensor& out) {
  const int64_t ldo = out.size(1);
  for_each_tile(B, W, 16, [&](int64_t panel, int64_t row, int64_t rows, int64_t columns) {
    const T* rows_of_x = data_of<const T>(x) + row * W.K;
    const T* weights = data_of<const T>(W.data) + panel * kPanel * W.K;
    const float* bias = data_of<const float>(W.bias) + panel * kPanel;
    T* target = data_of<T>(out) + row * ldo + panel * 16;
    if constexpr (std::is_same_v<T, float>)
      kernels::gemm_tile(Epilogue::silu_mul, rows_of_x, W.K, rows, weights, W.K, bias, target, ldo, columns);
    else
      kernels::gemm_tile_silu_mul(rows_of_x, W.K, rows, weights, W.K, bias, target, ldo, columns);
  });
}

void norm_row(const float* x, const float* weight, double eps, int64_t H, float* out, float*) {
  kernels::rms_norm(x, weight, static_cast<float>(eps), H, out);
}

void norm_row(const float* x, const float* weight, double eps, int64_t H, bfloat16* out, float* scratch) {
  kernels::rms_norm(x, weight, static_cast<float>(eps), H, scratch);
  kernels::round_to_bf16(scratch, H, out);
}

template <class T>
void norm(const at::Tensor& x, const at::Tensor& weight, double eps, int64_t B, const at::Tensor& out) {
  const int64_t H = x.size(1);
  at::parallel_for(0, B, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(H));
    for (int64_t b = begin; b < end; ++b)
      norm_row(data_of<const float>(x) + b * H, data_of<const float>(weight), eps, H, data_of<T>(out) + b * H,
               scratch.data());
  });
}

// Where element d of position t stands in a row's keys or values.
int64_t key_place(int64_t t, int64_t d, int64_t D, float) {
  return t / kKeyBlock * kKeyBlock * D + d * kKeyBlock + t % kKeyBlock;
}
int64_t key_place(int64_t t, int64_t d, int64_t D, bfloat16) {
  return t / kKeyBlock * kKeyBlock * D + d / 2 * 2 * kKeyBlock + t % kKeyBlock * 2 + d % 2;
}
int64_t value_place(int64_t t, int64_t d, int64_t D, float) { return t * D + d; }
int64_t value_place(int64_t t, int64_t d, int64_t D, bfloat16) { return t / 2 * 2 * D + d * 2 + t % 2; }

template <class T>
void convert(const float* x, int64_t count, T* out) {
  if constexpr (std::is_same_v<T, float>)
    std::copy(x, x + count, out);
  else
    kernels::round_to_bf16(x, count, out);
}

// Whether the model's layers are those that run_layer knows.
bool has_its_shape(const ModelConfig& config) {
  const WeightNames& names = config.names;
  const auto has_its_rope = [](const LayerSwitches& layer) {
    return layer.positions != PositionEmbedding::local_rope;
  };
  return config.norm != NormType::layer_norm && !names.attention_norm.empty() && !names.mlp_norm.empty() &&
         (names.q_norm.empty() || config.qk_norm_is_per_head) && names.attention_output_norm.empty() &&
         names.mlp_output_norm.empty() && config.activation == Activation::silu && config.gated_mlp &&
         names.positions.empty() && config.attention_softcap == 0 && config.logits_softcap == 0 &&
         config.embedding_multiplier == 1 && config.residual_multiplier == 1 && config.logits_divisor == 1 &&
         std::all_of(config.layers.begin(), config.layers.end(), has_its_rope);
}

}  // namespace

bool PackedStep::supports(const ModelConfig& config, const at::Device& device, at::ScalarType compute_dtype) {
  const bool cpu = compute_dtype == at::kFloat ? kernels::available_f32() : kernels::available_bf16();
  // Heads are whole vectors, and bfloat16 goes through rows in pairs.
  return device.is_cpu() && cpu && config.head_dim % 16 == 0 && config.hidden_size % 2 == 0 &&
         config.intermediate_size % 2 == 0 && has_its_shape(config);
}

PackedStep::PackedStep(const ModelConfig& config, const ModelWeights& masters, at::ScalarType compute_dtype)
    : config_(config),
      compute_dtype_(compute_dtype),
      embedding_(masters.embedding.detach()),
      final_norm_(norm_factors(config, masters.final_norm)) {
  for (const LayerWeights& weights : masters.layers) {
    layers_.push_back({weights.switches, norm_factors(config, weights.attention_norm),
                       norm_factors(config, weights.mlp_norm), norm_factors(config, weights.q_norm),
                       norm_factors(config, weights.k_norm), pack_qkv(weights, compute_dtype),
                       pack(weights.o, compute_dtype), pack_gate_up(weights, compute_dtype),
                       pack(weights.down, compute_dtype)});
  }
  head_ = pack(masters.head, compute_dtype);
}

void PackedStep::reserve(int64_t num_rows, int64_t longest) {
  const int64_t scores = std::min<int64_t>(4, config_.num_heads / config_.num_kv_heads) * longest;
  const int64_t scratch = scores + 4 * config_.num_heads * config_.head_dim;
  if (!scratch_.defined() || scratch_.size(0) < at::get_num_threads() || scratch_.size(1) < scratch)
    scratch_ = at::empty({at::get_num_threads(), scratch}, at::kFloat);
  if (x_.defined() && x_.size(0) >= num_rows) return;
  const int64_t q_width = config_.num_heads * config_.head_dim;
  x_ = at::empty({num_rows, config_.hidden_size}, at::kFloat);
  normed_ = at::empty({num_rows, config_.hidden_size}, compute_dtype_);
  heads_ = at::empty({num_rows, q_width + 2 * config_.num_kv_heads * config_.head_dim}, at::kFloat);
  attended_ = at::empty({num_rows, q_width}, compute_dtype_);
  inner_ = at::empty({num_rows, config_.intermediate_size}, compute_dtype_);
}

at::Tensor PackedStep::run(std::span<const int64_t> ids, std::span<const int64_t> positions, KvCache& cache,
                           const RopeTable& rope) {
  const auto B = static_cast<int64_t>(ids.size());
  reserve(B, cache.capacity);
  for (int64_t b = 0; b < B; ++b) {
    const float* row = data_of<const float>(embedding_) + ids[b] * config_.hidden_size;
    std::copy(row, row + config_.hidden_size, data_of<float>(x_) + b * config_.hidden_size);
  }
  at::Tensor logits = at::empty({B, config_.vocab_size}, at::kFloat);
  auto all_layers = [&]<class T>(T) {
    for (size_t i = 0; i < layers_.size(); ++i) run_layer<T>(layers_[i], positions, cache, i, rope);
    norm<T>(x_, final_norm_, config_.norm_eps, B, normed_);
    multiply<T>(Epilogue::store, normed_, B, head_, logits);
  };
  if (compute_dtype_ == at::kFloat)
    all_layers(float{});
  else
    all_layers(bfloat16{});
  return logits;
}

template <class T>
void PackedStep::run_layer(const Layer& layer, std::span<const int64_t> positions, KvCache& cache,
                           size_t index, const RopeTable& rope) {
  const auto B = static_cast<int64_t>(positions.size());
  norm<T>(x_, layer.attention_norm, config_.norm_eps, B, normed_);
  multiply<T>(Epilogue::store, normed_, B, layer.qkv, heads_);
  attend<T>(layer, positions, cache.keys[index], cache.values[index], rope);
  multiply<T>(Epilogue::accumulate, attended_, B, layer.o, x_);
  norm<T>(x_, layer.mlp_norm, config_.norm_eps, B, normed_);
  multiply_silu<T>(normed_, B, layer.gate_up, inner_);
  multiply<T>(Epilogue::accumulate, inner_, B, layer.down, x_);
}

// Norms and rotates queries and keys of heads_, puts keys and values into the cache, and attends, a key-value
// head of a row at a time.
template <class T>
void PackedStep::attend(const Layer& layer, std::span<const int64_t> positions, at::Tensor& keys,
                        at::Tensor& values, const RopeTable& rope) {
  const int64_t A = config_.num_heads, K = config_.num_kv_heads, D = config_.head_dim, G = A / K;
  const int64_t row_size = keys.size(2) * D, width = heads_.size(1), scratch_size = scratch_.size(1);
  const int64_t R = layer.switches.positions == PositionEmbedding::none ? 0 : rope.cos.size(1);
  const int64_t window = layer.switches.window;
  const auto scale = static_cast<float>(attention_scale(config_, layer.switches));
  const auto eps = static_cast<float>(config_.norm_eps);
  const bool normed = layer.q_norm.defined();
  const float* const q_norm = normed ? data_of<const float>(layer.q_norm) : nullptr;
  const float* const k_norm = normed ? data_of<const float>(layer.k_norm) : nullptr;
  const float *const cosines = data_of<const float>(rope.cos), *const sines = data_of<const float>(rope.sin);
  float *const heads = data_of<float>(heads_), *const scratch = data_of<float>(scratch_);
  T *const all_keys = data_of<T>(keys), *const all_values = data_of<T>(values);
  T* const attended = data_of<T>(attended_);
  at::parallel_for(0, static_cast<int64_t>(positions.size()) * K, 1, [&](int64_t begin, int64_t end) {
    float* const rotated = scratch + at::get_thread_num() * scratch_size;  // (G, D)
    T* const ready = reinterpret_cast<T*>(rotated + G * D);                // (G, D)
    float* const scores = rotated + 2 * G * D;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / K, h = i % K, t = positions[b];
      const float *const cos = cosines + t * R, *const sin = sines + t * R;
      float* const q = heads + b * width + h * G * D;
      float* const k = heads + b * width + A * D + h * D;
      const float* const v = k + K * D;
      if (normed) {
        for (int64_t g = 0; g < G; ++g) kernels::rms_norm(q + g * D, q_norm, eps, D, q + g * D);
        kernels::rms_norm(k, k_norm, eps, D, k);
      }
      T* const row_keys = all_keys + (b * K + h) * row_size;
      T* const row_values = all_values + (b * K + h) * row_size;

      kernels::rotate_head(k, cos, sin, R, D, 1, rotated);
      convert(rotated, D, ready);
      for (int64_t d = 0; d < D; ++d) row_keys[key_place(t, d, D, T{})] = ready[d];
      convert(v, D, ready);
      for (int64_t d = 0; d < D; ++d) row_values[value_place(t, d, D, T{})] = ready[d];

      for (int64_t g = 0; g < G; ++g) kernels::rotate_head(q + g * D, cos, sin, R, D, 1, rotated + g * D);
      convert(rotated, G * D, ready);
      const int64_t seen = window == 0 ? 0 : std::max<int64_t>(0, t + 1 - window);
      const int64_t block = seen / kKeyBlock * kKeyBlock;  // of the first position that is seen
      kernels::attend(ready, G, D, row_keys + block * D, row_values + block * D, scale, seen - block,
                      t + 1 - block, scores, attended + b * A * D + h * G * D);
    }
  });
}

}  // namespace rft::engine
