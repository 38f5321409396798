// What the engine holds in memory for each token, from a model's shape alone: what sizes its batches, and
// what an estimate of a job's memory is made of, so that the two cannot disagree. Needs no LibTorch. The
// factors count the tensors that layer.cpp, fused_ops.cpp and token_log_probs.cpp keep; tests/memory measures
// them.
#pragma once

#include <cstdint>

#include "engine/model/model_config.h"

namespace rft::engine {

constexpr int64_t kRolloutRows = 64;      // sequences under way at the same time, unless asked otherwise
constexpr int64_t kPrefillTokens = 8192;  // padded tokens of one prefill: enough to fill the machine

// How a decoder computes, as far as memory goes.
struct ComputeMode {
  bool bfloat16 = false;       // the factors of matrix products
  bool checkpointing = false;  // layers keep their input alone for the backward pass
  bool fused = false;          // by the loops of fused_ops.h: a CPU that has kernels::available_f32
};

// Padded tokens of a batch, and the longest of its sequences.
struct BatchExtent {
  int64_t num_tokens = 0;
  int64_t length = 0;
};

// Bytes that a training step's forward pass keeps of a batch, and those that one layer's backward pass makes
// beside them: with checkpointing, also what that layer would have kept.
int64_t activation_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch);
int64_t slope_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch);
// Bytes of a batch on its way through the model without gradients, the keys and values of every layer among
// them.
int64_t prefill_bytes(const ModelConfig& config, const ComputeMode& mode, const BatchExtent& batch);
// Bytes of one position of the KV cache.
int64_t cached_token_bytes(const ModelConfig& config, const ComputeMode& mode);

// How many padded tokens may go through the model at once in training: `asked`, or for 0 as many as their
// activations fit in 2 GiB (of sequences of 512, where soft-capped attention makes longer ones take more).
int64_t micro_batch_tokens(const ModelConfig& config, const ComputeMode& mode, int64_t asked);

// Rows of the vocabulary projection in one chunk: 16 MiB of logits, small enough to stay near the cores and
// large enough for the projection to run at full speed.
int64_t logits_chunk_rows(const ModelConfig& config);
// Bytes of the largest chunk among `num_tokens` predicted tokens, with all that a loss computes of it.
struct ChunkUse {
  bool temperature = false;  // other than 1
  bool entropy = false;      // as a term of the loss
};
int64_t logits_chunk_bytes(const ModelConfig& config, const ComputeMode& mode, int64_t num_tokens,
                           const ChunkUse& use);

}  // namespace rft::engine
