// A decoder-only transformer, driven by its configuration. It holds the float32 master weights that an
// optimiser updates, and serves two users from the same weights: training, which runs whole sequences through
// `hidden_states` and `states_at`, and rollouts, which `prefill` prompts and then `decode` one token of every
// row at a time. Nothing has to be copied from one to the other; after a change of the weights,
// `weights_changed` drops what was derived from them.
//
// With a LoRA adapter the masters are frozen, shared by every decoder that was made from them, and the
// adapter's factors are what is trained.
//
// Owned by shared_ptr because a trainer, a rollout and an export may hold one at the same time. Not
// thread-safe: one caller at a time, also for the const functions (they fill caches).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/kv_cache.h"
#include "engine/model/layer.h"
#include "engine/model/lora_adapter.h"
#include "engine/model/model_config.h"
#include "engine/model/named_tensor.h"
#include "engine/model/packed_step.h"
#include "engine/model/placement.h"
#include "engine/model/token_memory.h"

namespace rft::engine {

struct DecoderOptions {
  at::Device device = at::kCPU;
  // Of the factors of matrix products (and of the KV cache): float32, the reference, or bfloat16. Sums,
  // activations and master weights are float32 either way.
  at::ScalarType compute_dtype = at::kFloat;
  // Steps of a rollout by step_layer even where the packed step could take them: the slow reference.
  bool reference_step = false;
  // In training a layer keeps its input alone and is computed again in the backward pass.
  bool gradient_checkpointing = false;
};

// What "auto" means on this device: bfloat16 where it is fast (a GPU, or a CPU of
// kernels::fast_bf16), else float32.
at::ScalarType fast_compute_dtype(at::Device device);

class Decoder {
 public:
  // Reads a Hugging Face model folder. Throws Error as read_model_config and load_weights do, and
  // Error(unsupported) that names the first thing in it that the engine does not do.
  static std::shared_ptr<Decoder> load(const std::filesystem::path& model_dir, const DecoderOptions& options);
  // Random weights, a function of the seed alone.
  static std::shared_ptr<Decoder> random(const ModelConfig& config, uint64_t seed,
                                         const DecoderOptions& options);
  Decoder(ModelConfig config, std::vector<NamedTensor> parameters, const DecoderOptions& options);
  ~Decoder();

  const ModelConfig& config() const { return config_; }
  const DecoderOptions& options() const { return options_; }
  ComputeMode compute_mode() const;

  // The float32 masters under their checkpoint keys, in a fixed order; a tied lm_head is absent.
  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  // What training changes, and all that sets this decoder apart from others of the same base: the adapter's
  // factors where there is one, else the masters. They require gradients; change them in place under
  // NoGradGuard, then call weights_changed().
  const std::vector<NamedTensor>& trained_parameters() const {
    return adapter_ ? adapter_->factors : parameters_;
  }
  void weights_changed();

  // Null without one.
  const LoraAdapter* adapter() const { return adapter_ ? &*adapter_ : nullptr; }
  // A decoder on the same masters, which it shares without training them, with this adapter instead of its
  // own.
  std::shared_ptr<Decoder> with_adapter(LoraAdapter adapter) const;

  // ids (B, T) int64, right-padded with any valid id -> (B, T, H) float32 after the final norm.
  // Causal, position t of a row is position t of its sequence, so what stands after a row's end changes
  // nothing before it. `lengths`: B numbers in 1 .. T, T where it is empty; they matter only to the rotary
  // embeddings that depend on a sequence's length. Differentiable unless gradients are off.
  at::Tensor hidden_states(const at::Tensor& ids, std::span<const int64_t> lengths = {}) const;

  // Of those the ones at `positions` (M) int64 of B·T -> (M, H). What only they need, the last layer's
  // feed-forward, is done for them alone; padding is computed only where pads() says so.
  at::Tensor states_at(const at::Tensor& ids, std::span<const int64_t> lengths,
                       const at::Tensor& positions) const;
  // Whether states_at computes the padding of sequences of up to `longest` tokens along: on a GPU, on a CPU
  // without AVX-512, and where attention needs more than causality (a window, soft-capped scores).
  bool pads(int64_t longest) const;
  // hidden (..., H) -> (..., V) float32. Differentiable.
  at::Tensor logits(const at::Tensor& hidden) const;

  struct Prefill {
    at::Tensor last_hidden;                // (B, H), of each row's last token, after the final norm
    std::vector<at::Tensor> keys, values;  // per layer (B, K, T, D), for KvCache::fill_row
  };
  // ids (B, T) right-padded; lengths: B numbers in 1 .. T. `num_more`: how many tokens will follow at once,
  // as far as the rotary embedding is concerned. Without gradients.
  Prefill prefill(const at::Tensor& ids, std::span<const int64_t> lengths, int64_t num_more = 0) const;

  // Whether the keys and values of a sequence's first `length` positions, as they were computed so far, are
  // void for the next token: longrope takes other frequencies for the whole sequence there. They have to be
  // computed again, by prefill with num_more = 1.
  bool outgrows_cache(int64_t length) const;

  // One token of each of the rows 0 .. B−1 of `cache`: ids[b] stands at position positions[b] of row b, where
  // its key and value are put. -> (B, V) float32 logits of what follows. Without gradients.
  at::Tensor decode(std::span<const int64_t> ids, std::span<const int64_t> positions, KvCache& cache) const;

  KvCache make_cache(int64_t num_rows, int64_t capacity) const;

  // A decoder with these weights as they are now, that requires no gradients: the trained parameters are
  // copied, and whatever training does not change is shared.
  std::shared_ptr<Decoder> frozen_copy() const;

  // Writes model.safetensors in `dir`, which exists, with the weights as `dtype`, the adapter merged, and
  // `carried` as it is.
  void save_weights(const std::filesystem::path& dir, at::ScalarType dtype = at::kFloat,
                    std::span<const NamedTensor> carried = {}) const;

 private:
  const ModelWeights& weights() const;
  at::Tensor run_padded(const at::Tensor& ids, const std::vector<int64_t>& lengths,
                        const at::Tensor& positions) const;
  at::Tensor run(const at::Tensor& x, const std::vector<Placement>& placements,
                 const at::Tensor& positions) const;
  bool has_packed_step() const;
  at::Tensor reference_step(std::span<const int64_t> ids, std::span<const int64_t> positions,
                            KvCache& cache) const;
  // ids (...), each at position (...) of its sequence -> (..., H)
  at::Tensor embed(const at::Tensor& ids, const at::Tensor& positions) const;

  ModelConfig config_;
  DecoderOptions options_;
  std::vector<NamedTensor> parameters_;
  std::optional<LoraAdapter> adapter_;
  mutable std::unique_ptr<ModelWeights> weights_;  // by role; with rounded copies, until weights_changed()
  mutable std::unique_ptr<PackedStep> packed_step_;
  mutable Placer placer_;
};

}  // namespace rft::engine
