// A set of episodes on its way through the scorer: those of a prompt are handed over as soon as they are all
// there, in batches of whole prompts, while others may still be generated.
//
// Which episodes make a batch follows from the prompts alone, not from when anything ends: a scorer is asked
// the same whatever the number of its hosts and however fast they are. Used from one thread.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <vector>

#include "engine/progress_sink.h"
#include "worker/scored_completion.h"
#include "worker/scorer_pool.h"

namespace rft::worker {

class ScoringRound {
 public:
  // `episodes` are `num_samples` of each prompt, prompt after prompt. `prompts` says in which order they come
  // into batches, which have at most `batch_size` episodes, or one prompt's. `pool` and `episodes` outlive
  // it; the pool has no other round meanwhile.
  ScoringRound(ScorerPool& pool, std::vector<ScoredCompletion>& episodes, size_t num_samples,
               const std::vector<size_t>& prompts, size_t batch_size);

  // The requests of this prompt's episodes are there. Does not wait.
  void ready(size_t prompt);

  // Waits until all of them, each of which is ready, are scored: their results are in the episodes. Throws
  // engine::Interrupted when the sink asks to stop.
  void await(engine::ProgressSink& sink);

  // Of the episodes without a score the first, in the order of the batches, and why it has none.
  std::optional<plugins::PluginError> first_failure() const;
  double busy_s() const { return busy_s_; }  // of all hosts together

 private:
  struct Batch {
    std::vector<size_t> episodes;
    size_t prompts_missing = 0;
    std::exception_ptr failure;
  };

  void plan(const std::vector<size_t>& prompts, size_t num_samples, size_t batch_size);
  void hand_over();
  void take_outcomes(std::chrono::milliseconds patience);

  ScorerPool& pool_;
  std::vector<ScoredCompletion>& episodes_;
  std::vector<Batch> batches_;
  std::vector<std::vector<size_t>> batches_of_;  // by prompt
  std::deque<size_t> ready_;                     // batches that wait for room
  size_t num_scored_ = 0;                        // episodes
  double busy_s_ = 0;
};

}  // namespace rft::worker
