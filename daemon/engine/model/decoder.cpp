#include "engine/model/decoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "engine/model/initialise.h"
#include "engine/model/weight_files.h"

namespace rft::engine {
namespace {

// The parameters by role; matrices also rounded to bfloat16 where that is what is computed in.
ModelWeights by_role(const ModelConfig& config, const std::vector<NamedTensor>& parameters,
                     at::ScalarType compute_dtype) {
  std::map<std::string, at::Tensor> tensors;
  for (const NamedTensor& parameter : parameters) tensors[parameter.name] = parameter.tensor;
  auto linear = [&](const std::string& name) {
    Linear result{tensors.at(name + ".weight"), tensors[name + ".bias"], {}};
    if (compute_dtype != at::kFloat) result.rounded = result.weight.detach().to(compute_dtype);
    return result;
  };
  ModelWeights weights;
  weights.embedding = tensors.at("model.embed_tokens.weight");
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    weights.layers.push_back({.input_norm = tensors.at(layer + "input_layernorm.weight"),
                              .q = linear(layer + "self_attn.q_proj"),
                              .k = linear(layer + "self_attn.k_proj"),
                              .v = linear(layer + "self_attn.v_proj"),
                              .o = linear(layer + "self_attn.o_proj"),
                              .post_attention_norm = tensors.at(layer + "post_attention_layernorm.weight"),
                              .gate = linear(layer + "mlp.gate_proj"),
                              .up = linear(layer + "mlp.up_proj"),
                              .down = linear(layer + "mlp.down_proj")});
  }
  weights.final_norm = tensors.at("model.norm.weight");
  weights.head = linear(config.tie_word_embeddings ? "model.embed_tokens" : "lm_head");
  return weights;
}

at::Tensor long_tensor(std::span<const int64_t> values, at::Device device) {
  return at::tensor(at::ArrayRef<int64_t>(values.data(), values.size()), at::kLong).to(device);
}

}  // namespace

at::ScalarType fast_compute_dtype(at::Device device) {
  if (!device.is_cpu()) return at::kBFloat16;
  return __builtin_cpu_supports("avx512bf16") ? at::kBFloat16 : at::kFloat;
}

std::shared_ptr<Decoder> Decoder::load(const std::filesystem::path& model_dir,
                                       const DecoderOptions& options) {
  ParsedModelConfig parsed = read_model_config(model_dir);
  if (!parsed.unsupported.empty()) {
    throw Error(ErrorCode::unsupported,
                model_dir.string() + "/config.json: " + parsed.unsupported.front() + " is not supported");
  }
  std::vector<NamedTensor> weights = load_weights(parsed.config, model_dir, options.device);
  return std::make_shared<Decoder>(std::move(parsed.config), std::move(weights), options);
}

std::shared_ptr<Decoder> Decoder::random(const ModelConfig& config, uint64_t seed,
                                         const DecoderOptions& options) {
  std::vector<NamedTensor> weights = random_weights(config, seed);
  for (NamedTensor& weight : weights) weight.tensor = weight.tensor.to(options.device);
  return std::make_shared<Decoder>(config, std::move(weights), options);
}

Decoder::Decoder(ModelConfig config, std::vector<NamedTensor> parameters, const DecoderOptions& options)
    : config_(std::move(config)), options_(options), parameters_(std::move(parameters)) {
  if (options.compute_dtype != at::kFloat && options.compute_dtype != at::kBFloat16)
    throw Error(ErrorCode::invalid_argument, "the compute dtype is float32 or bfloat16");
  for (NamedTensor& parameter : parameters_) parameter.tensor.requires_grad_(true);
}

Decoder::~Decoder() = default;

void Decoder::weights_changed() {
  weights_.reset();
  packed_step_.reset();
}

bool Decoder::has_packed_step() const {
  return !options_.reference_step && PackedStep::supports(config_, options_.device, options_.compute_dtype);
}

const ModelWeights& Decoder::weights() const {
  if (!weights_)
    weights_ = std::make_unique<ModelWeights>(by_role(config_, parameters_, options_.compute_dtype));
  return *weights_;
}

const RopeTable& Decoder::rope(int64_t num_positions) const {
  if (!rope_.cos.defined() || rope_.cos.size(0) < num_positions) {
    const at::NoGradGuard no_grad;
    const int64_t rounded = (num_positions + 255) / 256 * 256;
    rope_ = make_rope_table(config_, rounded, options_.device);
  }
  return rope_;
}

at::Tensor Decoder::hidden_states(const at::Tensor& ids) const {
  const ModelWeights& w = weights();
  const int64_t T = ids.size(1);
  const RopeTable& all = rope(T);
  const RopeTable table{all.cos.narrow(0, 0, T), all.sin.narrow(0, 0, T)};
  at::Tensor x = at::embedding(w.embedding, ids);  // (B, T, H)
  for (const LayerWeights& layer : w.layers) x = run_layer(config_, layer, x, table);
  return rms_norm(x, w.final_norm, config_.norm_eps);
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const { return apply(weights().head, hidden); }

Decoder::Prefill Decoder::prefill(const at::Tensor& ids, std::span<const int64_t> lengths) const {
  const at::NoGradGuard no_grad;
  const ModelWeights& w = weights();
  const int64_t B = ids.size(0), T = ids.size(1);
  const RopeTable& all = rope(T);
  const RopeTable table{all.cos.narrow(0, 0, T), all.sin.narrow(0, 0, T)};
  Prefill result;
  at::Tensor x = at::embedding(w.embedding, ids.to(options_.device));
  for (const LayerWeights& layer : w.layers) {
    KeysValues kept;
    x = run_layer(config_, layer, x, table, &kept);
    result.keys.push_back(kept.keys);
    result.values.push_back(kept.values);
  }
  const at::Tensor last = long_tensor(lengths, options_.device) - 1;
  x = x.index({at::arange(B, last.options()), last});  // (B, H)
  result.last_hidden = rms_norm(x, w.final_norm, config_.norm_eps);
  return result;
}

at::Tensor Decoder::decode(std::span<const int64_t> ids, std::span<const int64_t> positions,
                           KvCache& cache) const {
  const at::NoGradGuard no_grad;
  if (!has_packed_step()) return reference_step(ids, positions, cache);
  if (!packed_step_) packed_step_ = std::make_unique<PackedStep>(config_, weights(), options_.compute_dtype);
  return packed_step_->run(ids, positions, cache, rope(cache.capacity));
}

at::Tensor Decoder::reference_step(std::span<const int64_t> ids, std::span<const int64_t> positions,
                                   KvCache& cache) const {
  const ModelWeights& w = weights();
  const int64_t T = *std::max_element(positions.begin(), positions.end()) + 1;
  const at::Tensor at_positions = long_tensor(positions, options_.device);  // (B)
  const RopeTable& all = rope(T);
  const RopeTable table{all.cos.index_select(0, at_positions), all.sin.index_select(0, at_positions)};
  const at::Tensor mask = (at::arange(T, at_positions.options()).unsqueeze(0) <= at_positions.unsqueeze(1))
                              .unsqueeze(1)
                              .unsqueeze(1);
  at::Tensor x = at::embedding(w.embedding, long_tensor(ids, options_.device));  // (B, H)
  for (size_t i = 0; i < w.layers.size(); ++i)
    x = step_layer(config_, w.layers[i], x, table, at_positions, mask, cache.keys[i], cache.values[i]);
  return logits(rms_norm(x, w.final_norm, config_.norm_eps));
}

KvCache Decoder::make_cache(int64_t num_rows, int64_t capacity) const {
  return KvCache(config_, num_rows, capacity, options_.device, options_.compute_dtype,
                 has_packed_step() ? KvLayout::blocked : KvLayout::plain);
}

std::shared_ptr<Decoder> Decoder::frozen_copy() const {
  const at::NoGradGuard no_grad;
  std::vector<NamedTensor> copies;
  for (const NamedTensor& parameter : parameters_)
    copies.push_back({parameter.name, parameter.tensor.detach().clone()});
  auto copy = std::make_shared<Decoder>(config_, std::move(copies), options_);
  for (NamedTensor& parameter : copy->parameters_) parameter.tensor.requires_grad_(false);
  return copy;
}

void Decoder::save_weights(const std::filesystem::path& dir, at::ScalarType dtype) const {
  const at::NoGradGuard no_grad;
  std::vector<NamedTensor> stored;
  for (const NamedTensor& parameter : parameters_)
    stored.push_back({parameter.name, parameter.tensor.detach().to(dtype)});
  write_tensors(dir / "model.safetensors", stored);
}

}  // namespace rft::engine
