// Log-probs of given tokens from rows of logits. The logits of a whole batch are the largest tensor of an
// update by far, so callers hand over a chunk of rows at a time, and what is kept for the backward pass is
// one matrix of a chunk's size, which becomes the gradient in place.
#pragma once

#include <ATen/core/Tensor.h>

namespace rft::engine {

struct TokenLogProbs {
  at::Tensor log_probs;  // (M) of the targets
  at::Tensor entropy;    // (M) of each row's whole distribution, in nats; undefined unless asked for
};

// Of softmax(logits / temperature). Differentiable in `logits`, once: the backward pass may be run a single
// time, since it uses up what the forward pass kept.
TokenLogProbs token_log_probs(const at::Tensor& logits,   // (M, V) float32
                              const at::Tensor& targets,  // (M) int64
                              double temperature, bool with_entropy);

}  // namespace rft::engine
