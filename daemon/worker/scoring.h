// From completions to scores: what the scorer is told of each episode, and what becomes of the episodes that
// it could not score. A failure is never a number: it fails the job or, by `[scorer] on_error = "skip"`,
// drops the episode. The first rank alone has the scorer, and tells the others what it answered.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "config/job_config.h"
#include "engine/progress_sink.h"
#include "engine/ranks.h"
#include "engine/rollout/generate.h"
#include "plugins/scorer_host.h"
#include "text/tokenizer.h"
#include "worker/dataset.h"

namespace rft::worker {

// One completion with its text, as it goes to the scorer and into the journals.
struct ScoredCompletion {
  const Example* example = nullptr;
  int64_t sample = 0;  // among the completions of its prompt
  engine::Completion completion;
  plugins::ScoreRequest request;
  plugins::ScoreResult result;
};

// The journals' line for it: prompt, completion, score, reason, sub_scores, … (docs/files.md).
Json to_json(const ScoredCompletion& scored);

class Scoring {
 public:
  Scoring(const config::ScorerConfig& config, const text::Tokenizer& tokenizer, std::vector<std::string> stop,
          engine::Ranks& ranks);

  // The scorer to ask from now on. On the first rank, once before anything is to be scored.
  void take_scorer(std::unique_ptr<plugins::Scorer> scorer) { scorer_ = std::move(scorer); }
  // … that another one has had so far.
  void take_scorer_of(Scoring&& other) { scorer_ = std::move(other.scorer_); }
  // Throws plugins::PluginError unless the scorer gives each of them a score.
  void try_scorer(const std::vector<plugins::ScoreRequest>& requests, engine::ProgressSink& sink);

  // Pairs each completion with its example and its text. completions[i] belong to examples[i].
  std::vector<ScoredCompletion> describe(const std::vector<const Example*>& examples,
                                         std::vector<std::vector<engine::Completion>>&& completions) const;

  // Fills in the results; under "skip" takes out the episodes without a score and answers how many. Throws
  // plugins::PluginError under "fail", and engine::Interrupted when the sink asks to stop between batches.
  int64_t score_training(std::vector<ScoredCompletion>& episodes, engine::ProgressSink& sink);
  // Why the first of the episodes went that the last score_training() took out. Of the first rank.
  const std::optional<plugins::PluginError>& first_failure() const { return first_failure_; }

  // As above, for a validation: a failed score always throws, so that the split never shrinks. Answers the
  // scorer's own figures over the whole split, if it has any.
  std::map<std::string, double> score_validation(std::vector<ScoredCompletion>& episodes,
                                                 engine::ProgressSink& sink);

 private:
  void score(std::vector<ScoredCompletion>& episodes, bool skip_failures, engine::ProgressSink& sink);
  void ask_scorer(std::vector<ScoredCompletion>& episodes, bool skip_failures, engine::ProgressSink& sink);
  void score_batch(std::span<ScoredCompletion> batch, bool skip_failures);
  std::string completion_text(const engine::Completion& completion) const;

  bool skip_failures_;
  std::unique_ptr<plugins::Scorer> scorer_;  // of the first rank
  std::optional<plugins::PluginError> first_failure_;
  const text::Tokenizer& tokenizer_;
  std::vector<std::string> stop_;
  engine::Ranks& ranks_;
};

}  // namespace rft::worker
