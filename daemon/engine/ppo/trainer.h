// One iteration of proximal policy optimisation: episodes in, better weights out.
//
//   1. proximal log-probs, values and reference log-probs of every completion token, computed once and
//      frozen for the iteration (the policy's own training path, so the first minibatch has ratio 1);
//   2. rewards, advantages and returns (advantages.h);
//   3. num_ppo_epochs passes of `minibatches` optimiser steps, in a fresh order each (permutation.h).
//
// The trainer holds the policy, the frozen reference, the critic and the optimiser; it holds no random
// generator: orders come from (seed, iteration, epoch). Not thread-safe; one update at a time. An update is
// never interrupted half-way, so the state between updates is always whole.
//
// Of several ranks each has a trainer of its own and is given the same episodes: the passes through the
// models are divided between them by rows, gradients and figures are added up, and all the rest is the same
// on each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/ppo/episode.h"
#include "engine/ppo/options.h"
#include "engine/progress_sink.h"
#include "engine/ranks.h"

namespace rft::engine {

class Decoder;

struct UpdateReport {
  std::map<std::string, double> metrics;  // "policy/approx_kl", "loss/value", …; engine/README.md lists them
  // Per episode, in the order given: the mean over its completion tokens of proximal - reference log-prob.
  // 0 without a reference.
  std::vector<float> kl_to_reference;
};

class PpoTrainer {
 public:
  // Trains `policy` in place. `num_iterations` is the length of the learning-rate schedule. `ranks` outlives
  // the trainer. Throws Error(invalid_argument) for options that check_options refuses.
  PpoTrainer(std::shared_ptr<Decoder> policy, const PpoOptions& options, int64_t num_iterations,
             Ranks& ranks = Ranks::alone());
  ~PpoTrainer();

  // Makes the reference a copy of the policy as it is now, and a separate value model's trunk another.
  // Without a reference there is no KL penalty, and kl_to_reference is not reported.
  void freeze_reference();

  // Runs one update on the iteration's episodes, `iteration` counted from 0. Reports phase "update" in
  // optimiser steps. Throws Error(invalid_argument) for malformed episodes and when none is left to learn
  // from (a group estimator drops groups of fewer than two).
  UpdateReport update(std::span<const Episode> episodes, int64_t iteration, ProgressSink& progress);

  // How many groups of these episodes have scores that differ: what a group estimator learns from.
  int64_t num_uneven_groups(std::span<const Episode> episodes) const;

  // Multiplies the learning rate from now on, on top of the schedule; saved with the state.
  void scale_learning_rate(double factor);

  // Writes the whole state as the folder `dir`, which must not exist: policy, reference, critic,
  // optimiser, counters. A state loaded into a trainer of the same model and options continues bit for bit
  // (same device, same number of threads). `load` throws Error(invalid_argument) for a state that is
  // corrupt, of another version, or of another model, and leaves the trainer unchanged.
  void save(const std::filesystem::path& dir) const;
  void load(const std::filesystem::path& dir);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rft::engine
