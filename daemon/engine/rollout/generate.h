// Completions of prompts, sampled from the policy in batches over a KV cache. A prompt goes through the model
// once for all its samples; a sequence that ends leaves its row to the next at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/progress_sink.h"

namespace rft::text {
class Tokenizer;
}

namespace rft::engine {

struct Prompt {
  std::vector<int64_t> ids;  // (P), P >= 1
  int64_t num_samples = 1;
  uint64_t stream = 0;  // the prompt's index in its data set: part of what its random numbers come from
};

struct SamplingOptions {
  double temperature = 1;  // 0: greedy
  int64_t top_k = 0;       // 0: off
  double top_p = 1;        // 1: off
  int64_t max_new_tokens = 128;
  std::vector<std::string> stop;  // a completion ends once its text holds one of these
  bool ignore_eos = false;
  uint64_t seed = 0;
  uint64_t iteration = 0;
  int64_t max_batch = kRolloutRows;  // sequences under way at the same time; it changes speed and memory only
};

enum class FinishReason { eos, stop, length };

struct Completion {
  std::vector<int64_t> ids;      // (T) as sampled: the end-of-sequence token or the stop string's included
  std::vector<float> log_probs;  // (T) of each id under the whole temperature-scaled distribution
  FinishReason finish = FinishReason::length;  // length: max_new_tokens, or the model's last position
  double seconds = 0;                          // from the sequence's place in the batch to its end
};

// Told of each prompt once all its samples have ended, in the order in which they do, from the thread that
// generates.
using PromptEnded = std::function<void(size_t prompt, const std::vector<Completion>& samples)>;

// completions[p][s] is sample s of prompts[p]. The uniform number of a token is a function of (seed,
// iteration, stream, sample, token index), whatever the batch. `tokenizer` may be null where there are no
// stop strings. Reports phase "rollout" in completions. Throws Interrupted when the sink asks to stop, and
// Error(invalid_argument) for an empty prompt, one that leaves no position for a token, an id outside the
// vocabulary, or options out of range.
std::vector<std::vector<Completion>> generate(const Decoder& decoder, std::span<const Prompt> prompts,
                                              const SamplingOptions& options,
                                              const text::Tokenizer* tokenizer, ProgressSink& progress,
                                              const PromptEnded& prompt_ended = {});

}  // namespace rft::engine
