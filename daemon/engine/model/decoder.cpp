#include "engine/model/decoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "engine/model/fused_ops.h"
#include "engine/model/initialise.h"
#include "engine/model/kernels.h"
#include "engine/model/recomputed.h"
#include "engine/model/unpadded.h"
#include "engine/model/weight_files.h"

namespace rft::engine {
namespace {

using TensorsByName = std::map<std::string, at::Tensor>;

// The parameters and the factors of the adapter, which may be null.
TensorsByName by_name(const std::vector<NamedTensor>& parameters, const LoraAdapter* adapter) {
  TensorsByName tensors;
  for (const NamedTensor& parameter : parameters) tensors[parameter.name] = parameter.tensor;
  if (adapter != nullptr)
    for (const NamedTensor& factor : adapter->factors) tensors[factor.name] = factor.tensor;
  return tensors;
}

// Undefined where the adapter, which may be null, has none for this linear.
LoraFactors factors_of(const TensorsByName& tensors, const LoraAdapter* adapter, const WeightNames& names,
                       const std::string& linear) {
  const auto a = tensors.find(lora_a_key(names, linear));
  if (a == tensors.end()) return {};
  return {a->second, tensors.at(lora_b_key(names, linear)), adapter->config.scale()};
}

// The parameters by role; matrices also rounded to bfloat16 where that is what is computed in. `adapter` may
// be null.
ModelWeights by_role(const ModelConfig& config, const std::vector<NamedTensor>& parameters,
                     const LoraAdapter* adapter, at::ScalarType compute_dtype) {
  TensorsByName tensors = by_name(parameters, adapter);
  const WeightNames& names = config.names;
  std::string prefix;
  // An empty name is of nothing: all that comes of it is undefined.
  auto norm = [&](const std::string& name) {
    return name.empty() ? Norm{}
                        : Norm{tensors.at(prefix + name + ".weight"), tensors[prefix + name + ".bias"]};
  };
  auto linear = [&](const std::string& role) {
    if (role.empty()) return Linear{};
    const std::string name = prefix + role;
    Linear result{
        tensors.at(name + ".weight"), tensors[name + ".bias"], {}, factors_of(tensors, adapter, names, name)};
    if (compute_dtype != at::kFloat) result.rounded = merged_weight(result).to(compute_dtype);
    return result;
  };
  ModelWeights weights;
  weights.embedding = tensors.at(names.prefix + names.embedding + ".weight");
  if (!names.positions.empty()) weights.positions = tensors.at(names.prefix + names.positions + ".weight");
  for (int64_t i = 0; i < config.num_layers; ++i) {
    prefix = names.prefix + names.layers + std::to_string(i) + ".";
    weights.layers.push_back({.switches = config.layer(i),
                              .attention_norm = norm(names.attention_norm),
                              .q = linear(names.q),
                              .k = linear(names.k),
                              .v = linear(names.v),
                              .qkv = linear(names.qkv),
                              .q_norm = norm(names.q_norm),
                              .k_norm = norm(names.k_norm),
                              .o = linear(names.o),
                              .attention_output_norm = norm(names.attention_output_norm),
                              .mlp_norm = norm(names.mlp_norm),
                              .gate = linear(names.gate),
                              .up = linear(names.up),
                              .gate_up = linear(names.gate_up),
                              .down = linear(names.down),
                              .mlp_output_norm = norm(names.mlp_output_norm)});
  }
  prefix = names.prefix;
  weights.final_norm = norm(names.final_norm);
  if (!config.tie_word_embeddings) prefix.clear();
  weights.head = linear(config.tie_word_embeddings ? names.embedding : names.head);
  return weights;
}

at::Tensor long_tensor(std::span<const int64_t> values, at::Device device) {
  return at::tensor(at::ArrayRef<int64_t>(values.data(), values.size()), at::kLong).to(device);
}

// `lengths`, or where they are empty those of the rows of ids (B, T).
std::vector<int64_t> or_whole(std::span<const int64_t> lengths, const at::Tensor& ids) {
  if (lengths.empty()) return std::vector<int64_t>(static_cast<size_t>(ids.size(0)), ids.size(1));
  return {lengths.begin(), lengths.end()};
}

}  // namespace

at::ScalarType fast_compute_dtype(at::Device device) {
  if (!device.is_cpu()) return at::kBFloat16;
  return kernels::fast_bf16() ? at::kBFloat16 : at::kFloat;
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
    : config_(std::move(config)),
      options_(options),
      parameters_(std::move(parameters)),
      placer_(config_, options.device) {
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
    weights_ =
        std::make_unique<ModelWeights>(by_role(config_, parameters_, adapter(), options_.compute_dtype));
  return *weights_;
}

at::Tensor Decoder::embed(const at::Tensor& ids, const at::Tensor& positions) const {
  const ModelWeights& w = weights();
  at::Tensor x = at::embedding(w.embedding, ids);
  if (config_.embedding_multiplier != 1) {
    const at::Tensor multiplier = at::scalar_tensor(config_.embedding_multiplier, x.options());
    x = x * (config_.rounds_embedding_multiplier ? multiplier.to(options_.compute_dtype).to(at::kFloat)
                                                 : multiplier);
  }
  return w.positions.defined() ? x + at::embedding(w.positions, positions) : x;
}

at::Tensor Decoder::hidden_states(const at::Tensor& ids, std::span<const int64_t> lengths) const {
  return run_padded(ids, or_whole(lengths, ids), {});
}

bool Decoder::pads(int64_t longest) const {
  const auto cuts = [longest](const LayerWeights& layer) {
    return layer.switches.window > 0 && longest > layer.switches.window;
  };
  const std::vector<LayerWeights>& layers = weights().layers;
  // Without the fused loops: ATen's attention would take the sequences of a row one after the other.
  return !compute_mode().fused || config_.attention_softcap > 0 ||
         std::any_of(layers.begin(), layers.end(), cuts);
}

at::Tensor Decoder::states_at(const at::Tensor& ids, std::span<const int64_t> lengths,
                              const at::Tensor& positions) const {
  const int64_t B = ids.size(0), T = ids.size(1);
  const std::vector<int64_t> known = or_whole(lengths, ids);
  if (pads(T)) return run_padded(ids, known, positions);
  const Unpadded tokens = without_padding(positions, B, T);
  const at::Tensor row = ids.flatten().index_select(0, tokens.tokens).unsqueeze(0);  // (1, N)
  return run(embed(row, tokens.places), placer_.unpadded(T, known, tokens), tokens.positions);
}

at::Tensor Decoder::run_padded(const at::Tensor& ids, const std::vector<int64_t>& lengths,
                               const at::Tensor& positions) const {
  const int64_t T = ids.size(1);
  return run(embed(ids, at::arange(T, ids.options())), placer_.sequences(T, lengths), positions);
}

// The embedded tokens (B, T, H) through the layers and the final norm; of all positions where `positions` is
// undefined.
at::Tensor Decoder::run(const at::Tensor& embedded, const std::vector<Placement>& placements,
                        const at::Tensor& positions) const {
  const ModelWeights& w = weights();
  at::Tensor x = embedded;
  const bool checkpointing = options_.gradient_checkpointing && at::GradMode::is_enabled();
  for (size_t i = 0; i < w.layers.size(); ++i) {
    const bool is_last = i + 1 == w.layers.size();
    const auto layer = [this, &weights = w.layers[i], placement = placements[i],
                        only = is_last ? positions : at::Tensor()](const at::Tensor& input) {
      return only.defined() ? run_layer_at(config_, weights, input, placement, only)
                            : run_layer(config_, weights, input, placement);
    };
    x = checkpointing ? recomputed(layer, x) : layer(x);
  }
  return apply(config_, w.final_norm, x);
}

ComputeMode Decoder::compute_mode() const {
  return {options_.compute_dtype == at::kBFloat16, options_.gradient_checkpointing,
          options_.device.is_cpu() && kernels::available_f32()};
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const {
  at::Tensor logits = apply(weights().head, hidden);
  if (config_.logits_divisor != 1) logits = logits / config_.logits_divisor;
  return config_.logits_softcap > 0 ? soft_cap(logits, config_.logits_softcap) : logits;
}

Decoder::Prefill Decoder::prefill(const at::Tensor& ids, std::span<const int64_t> lengths,
                                  int64_t num_more) const {
  const at::NoGradGuard no_grad;
  const ModelWeights& w = weights();
  const int64_t B = ids.size(0), T = ids.size(1);
  std::vector<int64_t> lengths_to_be(lengths.begin(), lengths.end());
  for (int64_t& length : lengths_to_be) length += num_more;
  const std::vector<Placement> placements = placer_.sequences(T, lengths_to_be);
  Prefill result;
  const at::Tensor on_device = ids.to(options_.device);
  at::Tensor x = embed(on_device, at::arange(T, on_device.options()));
  for (size_t i = 0; i < w.layers.size(); ++i) {
    KeysValues kept;
    x = run_layer(config_, w.layers[i], x, placements[i], &kept);
    result.keys.push_back(kept.keys);
    result.values.push_back(kept.values);
  }
  const at::Tensor last = long_tensor(lengths, options_.device) - 1;
  x = x.index({at::arange(B, last.options()), last});  // (B, H)
  result.last_hidden = apply(config_, w.final_norm, x);
  return result;
}

bool Decoder::outgrows_cache(int64_t length) const {
  return config_.rope.type == RopeType::longrope && length == config_.rope.original_max_positions;
}

at::Tensor Decoder::decode(std::span<const int64_t> ids, std::span<const int64_t> positions,
                           KvCache& cache) const {
  const at::NoGradGuard no_grad;
  if (!has_packed_step()) return reference_step(ids, positions, cache);
  if (!packed_step_) packed_step_ = std::make_unique<PackedStep>(config_, weights(), options_.compute_dtype);
  return packed_step_->run(ids, positions, cache, placer_.step_table(cache.capacity));
}

at::Tensor Decoder::reference_step(std::span<const int64_t> ids, std::span<const int64_t> positions,
                                   KvCache& cache) const {
  const ModelWeights& w = weights();
  const at::Tensor at_positions = long_tensor(positions, options_.device);  // (B)
  const std::vector<Placement> placements = placer_.step(positions);
  at::Tensor x = embed(long_tensor(ids, options_.device), at_positions);  // (B, H)
  for (size_t i = 0; i < w.layers.size(); ++i)
    x = step_layer(config_, w.layers[i], x, placements[i], at_positions, cache.keys[i], cache.values[i]);
  return logits(apply(config_, w.final_norm, x));
}

KvCache Decoder::make_cache(int64_t num_rows, int64_t capacity) const {
  return KvCache(config_, num_rows, capacity, options_.device, options_.compute_dtype,
                 has_packed_step() ? KvLayout::blocked : KvLayout::plain);
}

std::shared_ptr<Decoder> Decoder::with_adapter(LoraAdapter adapter) const {
  std::vector<NamedTensor> shared;
  for (const NamedTensor& parameter : parameters_)
    shared.push_back({parameter.name, parameter.tensor.detach()});
  auto adapted = std::make_shared<Decoder>(config_, std::move(shared), options_);
  for (NamedTensor& parameter : adapted->parameters_) parameter.tensor.requires_grad_(false);
  for (NamedTensor& factor : adapter.factors)
    factor.tensor = factor.tensor.detach().to(options_.device).requires_grad_(true);
  adapted->adapter_ = std::move(adapter);
  return adapted;
}

std::shared_ptr<Decoder> Decoder::frozen_copy() const {
  const at::NoGradGuard no_grad;
  std::shared_ptr<Decoder> copy;
  if (adapter_) {
    copy = with_adapter(adapter_->clone());
  } else {
    std::vector<NamedTensor> copies;
    for (const NamedTensor& parameter : parameters_)
      copies.push_back({parameter.name, parameter.tensor.detach().clone()});
    copy = std::make_shared<Decoder>(config_, std::move(copies), options_);
  }
  for (const NamedTensor& parameter : copy->trained_parameters())
    at::Tensor(parameter.tensor).requires_grad_(false);
  return copy;
}

void Decoder::save_weights(const std::filesystem::path& dir, at::ScalarType dtype,
                           std::span<const NamedTensor> carried) const {
  const at::NoGradGuard no_grad;
  const TensorsByName tensors = by_name(parameters_, adapter());
  const std::vector<WeightSpec> specs = expected_weights(config_);
  std::vector<NamedTensor> stored;  // views of the masters
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto& [name, parameter] = parameters_[i];
    const std::string linear = name.substr(0, name.rfind(".weight"));
    const at::Tensor weight =
        merged_weight({parameter, {}, {}, factors_of(tensors, adapter(), config_.names, linear)});
    stored.push_back({name, specs[i].stored_transposed ? weight.t() : weight});
  }
  write_tensors(dir / "model.safetensors", stored, dtype, carried);
}

}  // namespace rft::engine
