#include "worker/scoring_round.h"

#include <algorithm>
#include <utility>

namespace rft::worker {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookForAStop = 50ms;

}  // namespace

ScoringRound::ScoringRound(ScorerPool& pool, std::vector<ScoredCompletion>& episodes, size_t num_samples,
                           const std::vector<size_t>& prompts, size_t batch_size)
    : pool_(pool), episodes_(episodes), batches_of_(prompts.size()) {
  pool_.begin_round();
  plan(prompts, num_samples, std::max(batch_size, std::min(num_samples, plugins::kEpisodesPerBatch)));
}

void ScoringRound::plan(const std::vector<size_t>& prompts, size_t num_samples, size_t batch_size) {
  for (const size_t prompt : prompts) {
    if (batches_.empty() || batches_.back().episodes.size() + num_samples > batch_size)
      batches_.emplace_back();
    for (size_t sample = 0; sample < num_samples; ++sample) {
      if (batches_.back().episodes.size() == batch_size) batches_.emplace_back();
      Batch& batch = batches_.back();
      batch.episodes.push_back(prompt * num_samples + sample);
      std::vector<size_t>& own = batches_of_[prompt];
      if (!own.empty() && own.back() == batches_.size() - 1) continue;
      own.push_back(batches_.size() - 1);
      ++batch.prompts_missing;
    }
  }
}

void ScoringRound::ready(size_t prompt) {
  for (const size_t batch : batches_of_[prompt])
    if (--batches_[batch].prompts_missing == 0) ready_.push_back(batch);
  take_outcomes(0ms);
  hand_over();
}

void ScoringRound::hand_over() {
  while (!ready_.empty() && pool_.has_room()) {
    std::vector<plugins::ScoreRequest> requests;
    for (const size_t episode : batches_[ready_.front()].episodes)
      requests.push_back(std::move(episodes_[episode].request));
    pool_.submit(ready_.front(), std::move(requests));
    ready_.pop_front();
  }
}

void ScoringRound::take_outcomes(std::chrono::milliseconds patience) {
  for (ScorerPool::Outcome& outcome : pool_.take(patience)) {
    Batch& batch = batches_[outcome.batch];
    batch.failure = outcome.failure;
    for (size_t i = 0; i < batch.episodes.size(); ++i) {
      ScoredCompletion& episode = episodes_[batch.episodes[i]];
      episode.request = std::move(outcome.requests[i]);
      if (!outcome.failure) episode.result = std::move(outcome.results[i]);
    }
    num_scored_ += batch.episodes.size();
    busy_s_ += outcome.seconds;
  }
}

void ScoringRound::await(engine::ProgressSink& sink) {
  for (;;) {
    sink.advance("score", static_cast<int64_t>(num_scored_), static_cast<int64_t>(episodes_.size()),
                 "episodes");
    if (num_scored_ == episodes_.size()) return;
    if (sink.stop_requested()) throw engine::Interrupted();
    take_outcomes(kLookForAStop);
    hand_over();
  }
}

std::optional<plugins::PluginError> ScoringRound::first_failure() const {
  for (const Batch& batch : batches_) {
    try {
      if (batch.failure) std::rethrow_exception(batch.failure);
    } catch (const plugins::PluginError& failure) {
      return failure;
    }
    for (const size_t i : batch.episodes)
      if (!episodes_[i].result.score)
        return pool_.first().failure_of(episodes_[i].request, episodes_[i].result);
  }
  return std::nullopt;
}

}  // namespace rft::worker
