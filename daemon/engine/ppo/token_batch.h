// Sequences as the model takes them: right-padded, grouped so that little of a batch is padding, with the
// list of the positions whose predictions matter. Everything else of the (batch, length, vocabulary) cube is
// never computed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/ranks.h"

namespace rft::engine {

// A view; the ids are the owner's and must outlive it.
struct TokenSequence {
  std::span<const int64_t> prompt_ids;      // (P), P >= 1
  std::span<const int64_t> completion_ids;  // (T), T >= 1

  int64_t length() const { return static_cast<int64_t>(prompt_ids.size() + completion_ids.size()); }
};

enum class Targets { completion, prompt_and_completion };

// b sequences of padded length L with M predicted tokens in all, in the order of sequence and token.
struct TokenBatch {
  at::Tensor ids;        // (b, L) int64, padded with 0
  at::Tensor positions;  // (M) int64 into the flattened (b·L) states: the one that predicts each target
  at::Tensor targets;    // (M) int64, the tokens themselves
  at::Tensor rows;       // (M) int64, which of all sequences each belongs to
  at::Tensor offsets;  // (M) int64, its place counted from the first completion token; negative in the prompt
  at::Tensor ends;     // (b) int64 into the flattened states: each one's last token; undefined unless fed
  std::vector<int64_t> lengths;  // (b) without padding and the last token, which predicts nothing
};

// The batch of sequences[rows[0]], sequences[rows[1]], …. A sequence's last token is fed only where
// `feed_ends` asks for the state after it; nothing is predicted from it.
TokenBatch make_token_batch(std::span<const TokenSequence> sequences, std::span<const int64_t> rows,
                            Targets targets, bool feed_ends, at::Device device);

// Cuts `rows` into micro-batches of at most `max_tokens` padded tokens (at least one sequence each), the
// longest first, so that what does not fit in memory fails at once; sequences of like length go together, and
// where padding is computed, those of unlike length apart.
std::vector<std::vector<int64_t>> micro_batches(std::span<const TokenSequence> sequences,
                                                std::span<const int64_t> rows, int64_t max_tokens, bool pads);

// The rows that are this rank's: of rows of every length about as many as each other rank has.
std::vector<int64_t> own_rows(std::span<const TokenSequence> sequences, std::span<const int64_t> rows,
                              const Ranks& ranks);

}  // namespace rft::engine
