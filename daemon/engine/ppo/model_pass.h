// The two ways a batch goes through the model: evaluated, without gradients, and trained on. Both project to
// the vocabulary only where a token is predicted, a chunk of rows at a time, so that the logits of a whole
// batch never exist.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "engine/ppo/token_batch.h"
#include "engine/ppo/token_log_probs.h"
#include "engine/ppo/value_head.h"

namespace rft::engine {

class Decoder;

// `rows` as the micro-batches that go through this decoder: of `asked` padded tokens each, for 0 of as many
// as fit.
std::vector<std::vector<int64_t>> micro_batches_for(const Decoder& decoder,
                                                    std::span<const TokenSequence> sequences,
                                                    std::span<const int64_t> rows, int64_t asked);

struct Evaluation {
  at::Tensor log_probs;  // (M) float32
  at::Tensor entropy;    // (M) float32; undefined unless asked for
  at::Tensor values;     // (M) float32; undefined without a value head
  at::Tensor
      end_values;  // (b) float32, after each sequence's last token; undefined unless its batch feeds it
};

// The batch's predictions as they are, without gradients. `value_head` may be null.
Evaluation evaluate(const Decoder& decoder, const ValueHead* value_head, const TokenBatch& batch,
                    double temperature, bool with_entropy);

// The same of a critic with a trunk of its own: values and, where the batch feeds them, end_values.
struct Values {
  at::Tensor values;      // (M) float32
  at::Tensor end_values;  // (b) float32; undefined unless its batch feeds it
};
Values evaluate_values(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch);

// The loss of the tokens begin … begin + count of the batch: their states (count, H), differentiable, and
// their log-probs and entropies (count) -> a scalar.
using TokenLoss = std::function<at::Tensor(const at::Tensor& hidden, const TokenLogProbs& tokens,
                                           int64_t begin, int64_t count)>;

// Adds the gradient of the sum of `loss` over the batch's tokens to the gradients of everything it depends
// on. A chunk's loss goes backward before the next chunk's logits are made, so a loss must be a plain sum
// over tokens.
void accumulate_gradients(const Decoder& decoder, const TokenBatch& batch, double temperature,
                          bool with_entropy, const TokenLoss& loss);

// The same of a critic with a trunk of its own: `loss` takes the values (M) of the batch's tokens.
using ValueLoss = std::function<at::Tensor(const at::Tensor& values)>;
void accumulate_value_gradients(const Decoder& trunk, const ValueHead& value_head, const TokenBatch& batch,
                                const ValueLoss& loss);

}  // namespace rft::engine
