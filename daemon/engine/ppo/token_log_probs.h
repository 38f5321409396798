// Log-probs of given tokens from rows of logits. The logits of a whole batch are the largest tensor of an
// update by far, so callers hand over a chunk of rows at a time, and nothing else of a chunk's size is kept
// for the backward pass. On a CPU with AVX-512 in as few passes over memory as there can be; anywhere else by
// ATen (`reference::`), with which a test compares it.
#pragma once

#include <ATen/core/Tensor.h>

namespace rft::engine {

struct TokenLogProbs {
  at::Tensor log_probs;  // (M) of the targets
  at::Tensor entropy;    // (M) of each row's whole distribution, in nats; undefined unless asked for
};

// Of softmax(logits / temperature). Differentiable in `logits`.
TokenLogProbs token_log_probs(const at::Tensor& logits,   // (M, V) float32
                              const at::Tensor& targets,  // (M) int64
                              double temperature, bool with_entropy);

namespace reference {
TokenLogProbs token_log_probs(const at::Tensor& logits, const at::Tensor& targets, double temperature,
                              bool with_entropy);
}  // namespace reference

}  // namespace rft::engine
