// A supervised start: cross-entropy on wanted outputs, before any reinforcement. Steps are taken one at a
// time, so that whoever drives it can report, save and stop in between. Of several ranks each takes its share
// of a batch's rows, and all take the same step. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/ranks.h"

namespace rft::engine {

class Decoder;

struct WarmupExample {
  std::vector<int64_t> prompt_ids;  // (P), P >= 1
  std::vector<int64_t> output_ids;  // (T), T >= 1, the end-of-sequence token included
};

struct WarmupOptions {
  int64_t epochs = 1;
  int64_t batch_size = 32;
  double learning_rate = 1e-3;  // rises over the first 3 % of the steps, then falls to 0 along a cosine
  double prompt_loss = 0;       // weight of the prompt's own tokens, beside 1 for the output's
  double weight_decay = 0;
  double max_grad_norm = 1.0;
  uint64_t seed = 0;
  int64_t micro_batch_tokens = 0;  // as PpoOptions::micro_batch_tokens
};

class Warmup {
 public:
  // `ranks` outlives it. Throws Error(invalid_argument) for no examples, an empty prompt or output, or
  // options out of range.
  Warmup(std::shared_ptr<Decoder> policy, std::vector<WarmupExample> examples, const WarmupOptions& options,
         Ranks& ranks = Ranks::alone());
  ~Warmup();

  int64_t num_steps() const;  // of the whole warm-up
  int64_t steps_done() const;
  bool done() const { return steps_done() >= num_steps(); }

  // One optimiser step on the next batch; each epoch goes through the examples in an order of its own.
  // Answers "warmup/loss" (mean over weighted tokens, in nats), "warmup/learning_rate",
  // "warmup/grad_norm" and "warmup/skipped" (1 where the gradient was not finite and no step was taken).
  std::map<std::string, double> step();

  // As PpoTrainer's: bit-exact, policy included.
  void save(const std::filesystem::path& dir) const;
  void load(const std::filesystem::path& dir);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rft::engine
