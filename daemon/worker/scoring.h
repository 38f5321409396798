// From completions to scores: what the scorer is told of each episode, and what becomes of the episodes that
// it could not score. A failure is never a number: it fails the job or, by `[scorer] on_error = "skip"`,
// drops the episode. The first rank alone has the scorer, and tells the others what it answered.
//
// The scorer works while the rest of a rollout is generated, in as many hosts as `[scorer] hosts` says
// (scorer_pool.h); what it is asked, and what becomes of its answers, is the same as if it did not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/job_config.h"
#include "engine/progress_sink.h"
#include "engine/ranks.h"
#include "engine/rollout/generate.h"
#include "text/tokenizer.h"
#include "worker/dataset.h"
#include "worker/scored_completion.h"
#include "worker/scoring_round.h"

namespace rft::worker {

class Scoring;

// The episodes of a rollout that is still under way: a prompt whose completions are all there goes to the
// scorer at once.
class RolloutScoring {
 public:
  // `scoring` outlives it.
  RolloutScoring(Scoring& scoring, std::vector<const Example*> examples, int64_t num_samples);
  RolloutScoring(const RolloutScoring&) = delete;
  RolloutScoring& operator=(const RolloutScoring&) = delete;

  // What the rollout is to tell of each prompt.
  engine::PromptEnded listener();

 private:
  friend class Scoring;
  void take(size_t prompt, const std::vector<engine::Completion>& samples);

  Scoring& scoring_;
  std::vector<const Example*> examples_;
  std::vector<ScoredCompletion> episodes_;
  std::vector<bool> taken_;            // by prompt
  std::optional<ScoringRound> round_;  // of the first rank
};

class Scoring {
 public:
  Scoring(const text::Tokenizer& tokenizer, std::vector<std::string> stop, engine::Ranks& ranks);

  // Starts the scorer's hosts. On the first rank, once before anything is to be scored.
  void start(const config::ScorerConfig& config, ScorerPool::Start start);
  // Goes on with the hosts of another, on the first rank, and by its configuration.
  void take_scorer_of(Scoring&& other);

  // The episodes of a rollout that has ended, with their results; completions[i] belong to its examples[i].
  // Under "skip" some may have no score. Throws plugins::PluginError under "fail", and engine::Interrupted
  // when the sink asks to stop meanwhile.
  std::vector<ScoredCompletion> score_training(RolloutScoring& rollout,
                                               std::vector<std::vector<engine::Completion>>&& completions,
                                               engine::ProgressSink& sink);
  // Why the first of the episodes of the last score_training() has no score. Of the first rank.
  const std::optional<plugins::PluginError>& first_failure() const { return first_failure_; }

  // As above, for a validation: a failed score always throws, so that the split never shrinks.
  std::vector<ScoredCompletion> score_validation(RolloutScoring& rollout,
                                                 std::vector<std::vector<engine::Completion>>&& completions,
                                                 engine::ProgressSink& sink);
  // The scorer's own figures over a whole split, if it has any.
  std::map<std::string, double> figures(const std::vector<ScoredCompletion>& episodes);

  // Scores what has its requests already, on the first rank alone. Throws plugins::PluginError unless each
  // gets a score.
  void score_again(std::vector<ScoredCompletion>& episodes, engine::ProgressSink& sink);

  // Seconds that the hosts were busy with training episodes since the last call, together.
  double take_busy_s() { return std::exchange(busy_s_, 0); }

 private:
  friend class RolloutScoring;
  std::vector<ScoredCompletion> score(RolloutScoring& rollout,
                                      std::vector<std::vector<engine::Completion>>&& completions,
                                      bool skip_failures, engine::ProgressSink& sink);
  void settle(const ScoringRound& round, bool skip_failures);
  std::vector<size_t> own_prompts_first(size_t num_prompts) const;
  plugins::ScoreRequest request_of(const Example& example, const engine::Completion& completion) const;
  std::string completion_text(const engine::Completion& completion) const;

  config::ScorerConfig config_;       // of the first rank
  std::unique_ptr<ScorerPool> pool_;  // likewise
  std::optional<plugins::PluginError> first_failure_;
  double busy_s_ = 0;
  const text::Tokenizer& tokenizer_;
  std::vector<std::string> stop_;
  engine::Ranks& ranks_;
};

}  // namespace rft::worker
