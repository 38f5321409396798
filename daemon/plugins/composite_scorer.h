// Several scorers as one: each in a host process of its own, with a deadline of its own, and a formula over
// their scores. The score of NAME is the sub-score NAME, its own sub-scores are NAME/PART, its figures over a
// split NAME/FIGURE. A completion is valid where it is for all of them.
#pragma once

#include <utility>
#include <vector>

#include "plugins/formula.h"
#include "plugins/scorer_host.h"

namespace rft::plugins {

class CompositeScorer : public Scorer {
 public:
  // Starts them all. Throws PluginError that names the scorer.
  CompositeScorer(Formula formula, std::vector<std::pair<std::string, ScorerOptions>> scorers);

  // An episode that one of them cannot score, or whose formula has no finite value, has no score.
  std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) override;
  PluginError failure_of(const ScoreRequest& request, const ScoreResult& result) const override;
  std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest> requests,
                                                         std::span<const ScoreResult> results) override;

 private:
  void combine(ScoreResult& result) const;

  Formula formula_;
  std::vector<std::pair<std::string, ScorerHost>> scorers_;
};

}  // namespace rft::plugins
