#include "engine/ppo/token_batch.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace rft::engine {
namespace {

// A micro-batch with this many tokens keeps the cores busy; beyond it, a sequence that would be more than a
// twentieth padding starts the next one.
constexpr int64_t kEnoughTokens = 1024;

at::Tensor long_tensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(at::ArrayRef<int64_t>(values), at::kLong).to(device);
}

std::vector<int64_t> longest_first(std::span<const TokenSequence> sequences, std::span<const int64_t> rows) {
  std::vector<int64_t> order(rows.begin(), rows.end());
  std::stable_sort(order.begin(), order.end(), [&sequences](int64_t a, int64_t b) {
    return sequences[a].length() > sequences[b].length();
  });
  return order;
}

}  // namespace

TokenBatch make_token_batch(std::span<const TokenSequence> sequences, std::span<const int64_t> rows,
                            Targets targets, bool feed_ends, at::Device device) {
  const int64_t count = static_cast<int64_t>(rows.size());
  int64_t longest = 0;
  for (const int64_t row : rows) longest = std::max(longest, sequences[row].length() - (feed_ends ? 0 : 1));

  at::Tensor ids = at::zeros({count, longest}, at::kLong);
  std::vector<int64_t> positions, tokens, owners, offsets, ends, lengths;
  for (int64_t i = 0; i < count; ++i) {
    const TokenSequence& sequence = sequences[rows[i]];
    const int64_t prompt_length = static_cast<int64_t>(sequence.prompt_ids.size()),
                  length = sequence.length();
    const auto token = [&](int64_t at) {
      return at < prompt_length ? sequence.prompt_ids[at] : sequence.completion_ids[at - prompt_length];
    };
    int64_t* out = ids.data_ptr<int64_t>() + i * longest;
    for (int64_t at = 0; at < (feed_ends ? length : length - 1); ++at) out[at] = token(at);
    for (int64_t at = targets == Targets::completion ? prompt_length : 1; at < length; ++at) {
      positions.push_back(i * longest + at - 1);
      tokens.push_back(token(at));
      owners.push_back(rows[i]);
      offsets.push_back(at - prompt_length);
    }
    ends.push_back(i * longest + length - 1);
    lengths.push_back(length - 1);
  }
  return {ids.to(device),
          long_tensor(positions, device),
          long_tensor(tokens, device),
          long_tensor(owners, device),
          long_tensor(offsets, device),
          feed_ends ? long_tensor(ends, device) : at::Tensor(),
          std::move(lengths)};
}

std::vector<std::vector<int64_t>> micro_batches(std::span<const TokenSequence> sequences,
                                                std::span<const int64_t> rows, int64_t max_tokens,
                                                bool pads) {
  const std::vector<int64_t> order = longest_first(sequences, rows);
  std::vector<std::vector<int64_t>> batches;
  int64_t longest = 0;
  for (const int64_t row : order) {
    const int64_t length = sequences[row].length();
    const int64_t padded = batches.empty() ? 0 : longest * static_cast<int64_t>(batches.back().size());
    const bool full = padded + longest > max_tokens;
    const bool mostly_padding = pads && padded >= kEnoughTokens && length * 20 < longest * 19;
    if (batches.empty() || full || mostly_padding) {
      batches.emplace_back();
      longest = length;
    }
    batches.back().push_back(row);
  }
  return batches;
}

std::vector<int64_t> own_rows(std::span<const TokenSequence> sequences, std::span<const int64_t> rows,
                              const Ranks& ranks) {
  return share_of(longest_first(sequences, rows), ranks);
}

}  // namespace rft::engine
