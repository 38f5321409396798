#include "engine/ppo/model_pass.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/model/token_memory.h"

namespace rft::engine {
namespace {

struct States {
  at::Tensor predicting;  // (M, H): the states that predict the batch's tokens
  at::Tensor ends;        // (b, H): those after the last tokens; undefined unless fed
};

States states_of(const Decoder& decoder, const TokenBatch& batch) {
  if (!batch.ends.defined()) return {decoder.states_at(batch.ids, batch.lengths, batch.positions), {}};
  const at::Tensor both = decoder.states_at(batch.ids, batch.lengths, at::cat({batch.positions, batch.ends}));
  const int64_t M = batch.positions.size(0);
  return {both.narrow(0, 0, M), both.narrow(0, M, batch.ends.size(0))};
}

Values values_of(const States& states, const ValueHead& value_head) {
  Values result{value_head.values(states.predicting), {}};
  if (states.ends.defined()) result.end_values = value_head.values(states.ends);
  return result;
}

}  // namespace

std::vector<std::vector<int64_t>> micro_batches_for(const Decoder& decoder,
                                                    std::span<const TokenSequence> sequences,
                                                    std::span<const int64_t> rows, int64_t asked) {
  int64_t longest = 0;
  for (const int64_t row : rows) longest = std::max(longest, sequences[row].length());
  return micro_batches(sequences, rows, micro_batch_tokens(decoder.config(), decoder.compute_mode(), asked),
                       decoder.pads(longest));
}

Evaluation evaluate(const Decoder& decoder, const ValueHead* value_head, const TokenBatch& batch,
                    double temperature, bool with_entropy) {
  const at::NoGradGuard no_grad;
  const States states = states_of(decoder, batch);
  std::vector<at::Tensor> log_probs, entropies;
  const int64_t step = logits_chunk_rows(decoder.config());
  const int64_t M = states.predicting.size(0);
  for (int64_t begin = 0; begin < M; begin += step) {
    const int64_t count = std::min(step, M - begin);
    const TokenLogProbs chunk =
        token_log_probs(decoder.logits(states.predicting.narrow(0, begin, count)),
                        batch.targets.narrow(0, begin, count), temperature, with_entropy);
    log_probs.push_back(chunk.log_probs);
    if (with_entropy) entropies.push_back(chunk.entropy);
  }
  Evaluation result;
  result.log_probs = at::cat(log_probs);
  if (with_entropy) result.entropy = at::cat(entropies);
  if (value_head != nullptr) {
    const Values said = values_of(states, *value_head);
    result.values = said.values;
    result.end_values = said.end_values;
  }
  return result;
}

Values evaluate_values(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch) {
  const at::NoGradGuard no_grad;
  return values_of(states_of(trunk, batch), value_head);
}

void accumulate_gradients(const Decoder& decoder, const TokenBatch& batch, double temperature,
                          bool with_entropy, const TokenLoss& loss) {
  const at::Tensor states = decoder.states_at(batch.ids, batch.lengths, batch.positions);  // (M, H)
  // The gradient stops at `states`, chunk by chunk, and goes on through the trunk once, at the end.
  const at::Tensor slope = at::empty_like(states);
  const int64_t step = logits_chunk_rows(decoder.config());
  for (int64_t begin = 0; begin < states.size(0); begin += step) {
    const int64_t count = std::min(step, states.size(0) - begin);
    const at::Tensor chunk = states.narrow(0, begin, count).detach().requires_grad_();
    const TokenLogProbs tokens = token_log_probs(decoder.logits(chunk), batch.targets.narrow(0, begin, count),
                                                 temperature, with_entropy);
    loss(chunk, tokens, begin, count).backward();
    slope.narrow(0, begin, count).copy_(chunk.grad());
  }
  states.backward(slope);
}

void accumulate_value_gradients(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch,
                                const ValueLoss& loss) {
  loss(values_of(states_of(trunk, batch), value_head).values).backward();
}

}  // namespace rft::engine
