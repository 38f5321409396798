#include "engine/ppo/model_pass.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/model/token_memory.h"

namespace rft::engine {
namespace {

// (b, L, H) -> (M, H): the states that predict the batch's tokens.
at::Tensor predicting_states(const at::Tensor& hidden, const at::Tensor& positions) {
  return hidden.reshape({-1, hidden.size(-1)}).index_select(0, positions);
}

Values values_of(const at::Tensor& hidden, const ValueHead& value_head, const TokenBatch& batch) {
  Values result{value_head.values(predicting_states(hidden, batch.positions)), {}};
  if (batch.ends.defined()) result.end_values = value_head.values(predicting_states(hidden, batch.ends));
  return result;
}

}  // namespace

Evaluation evaluate(const Decoder& decoder, const ValueHead* value_head, const TokenBatch& batch,
                    double temperature, bool with_entropy) {
  const at::NoGradGuard no_grad;
  const at::Tensor hidden = decoder.hidden_states(batch.ids, batch.lengths);  // (b, L, H)
  const at::Tensor states = predicting_states(hidden, batch.positions);       // (M, H)
  std::vector<at::Tensor> log_probs, entropies;
  const int64_t step = logits_chunk_rows(decoder.config());
  for (int64_t begin = 0; begin < states.size(0); begin += step) {
    const int64_t count = std::min(step, states.size(0) - begin);
    const TokenLogProbs chunk =
        token_log_probs(decoder.logits(states.narrow(0, begin, count)), batch.targets.narrow(0, begin, count),
                        temperature, with_entropy);
    log_probs.push_back(chunk.log_probs);
    if (with_entropy) entropies.push_back(chunk.entropy);
  }
  Evaluation result;
  result.log_probs = at::cat(log_probs);
  if (with_entropy) result.entropy = at::cat(entropies);
  if (value_head != nullptr) {
    const Values said = values_of(hidden, *value_head, batch);
    result.values = said.values;
    result.end_values = said.end_values;
  }
  return result;
}

Values evaluate_values(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch) {
  const at::NoGradGuard no_grad;
  return values_of(trunk.hidden_states(batch.ids, batch.lengths), value_head, batch);
}

void accumulate_gradients(const Decoder& decoder, const TokenBatch& batch, double temperature,
                          bool with_entropy, const TokenLoss& loss) {
  const at::Tensor hidden = decoder.hidden_states(batch.ids, batch.lengths);      // (b, L, H)
  const at::Tensor states = predicting_states(hidden.detach(), batch.positions);  // (M, H)
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
  const at::Tensor trunk_slope =
      at::zeros({hidden.size(0) * hidden.size(1), hidden.size(2)}, hidden.options());
  hidden.backward(trunk_slope.index_copy_(0, batch.positions, slope).view_as(hidden));
}

void accumulate_value_gradients(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch,
                                const ValueLoss& loss) {
  loss(values_of(trunk.hidden_states(batch.ids, batch.lengths), value_head, batch).values).backward();
}

}  // namespace rft::engine
