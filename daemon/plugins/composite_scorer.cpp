#include "plugins/composite_scorer.h"

namespace rft::plugins {
namespace {

// What goes wrong with one of the scorers says which.
template <class Ask>
auto of_scorer(const std::string& name, const Ask& ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const PluginError& error) {
    throw PluginError(error.kind(), "sub-scorer " + name + ": " + error.what(), name);
  }
}

// Adds what one scorer says of an episode to what is said of it.
void add_part(const std::string& name, ScoreResult&& part, ScoreResult& whole) {
  if (!part.score && whole.error.empty()) {
    whole.error = "sub-scorer " + name + ": " + part.error;
    whole.failure = part.failure;
  }
  whole.valid = whole.valid && part.valid;
  if (!part.reason.empty()) whole.reason += (whole.reason.empty() ? "" : "; ") + name + ": " + part.reason;
  if (part.score) whole.sub_scores.emplace_back(name, *part.score);
  for (const auto& [inner, value] : part.sub_scores) whole.sub_scores.emplace_back(name + "/" + inner, value);
  whole.parts.push_back(std::move(part));
}

}  // namespace

CompositeScorer::CompositeScorer(Formula formula, std::vector<std::pair<std::string, ScorerOptions>> scorers)
    : formula_(std::move(formula)) {
  for (auto& scorer : scorers)
    of_scorer(scorer.first,
              [&] { scorers_.emplace_back(scorer.first, ScorerHost(std::move(scorer.second))); });
}

std::vector<ScoreResult> CompositeScorer::score(std::span<const ScoreRequest> requests) {
  std::vector<ScoreResult> wholes(requests.size());
  for (auto& scorer : scorers_) {
    std::vector<ScoreResult> parts = of_scorer(scorer.first, [&] { return scorer.second.score(requests); });
    for (size_t i = 0; i < wholes.size(); ++i) add_part(scorer.first, std::move(parts[i]), wholes[i]);
  }
  for (ScoreResult& whole : wholes) combine(whole);
  return wholes;
}

void CompositeScorer::combine(ScoreResult& result) const {
  if (!result.error.empty()) {
    result.sub_scores.clear();
    return;
  }
  std::map<std::string, double> values;
  for (size_t i = 0; i < scorers_.size(); ++i) values[scorers_[i].first] = *result.parts[i].score;
  try {
    result.score = formula_.evaluate(values);
  } catch (const Error& error) {
    result.error = std::string("calculate_output: ") + error.what();
    for (const auto& [name, value] : values) result.error += ", " + name + " = " + dump_json(Json(value));
    result.failure = PluginFailure::not_finite;
  }
}

PluginError CompositeScorer::failure_of(const ScoreRequest& request, const ScoreResult& result) const {
  return episode_failure("scorer multi", request, result);
}

std::optional<std::map<std::string, double>> CompositeScorer::summarize(
    std::span<const ScoreRequest> requests, std::span<const ScoreResult> results) {
  std::map<std::string, double> figures;
  for (size_t i = 0; i < scorers_.size(); ++i) {
    auto& scorer = scorers_[i];
    std::vector<ScoreResult> parts;
    for (const ScoreResult& result : results) parts.push_back(result.parts.at(i));
    const auto own = of_scorer(scorer.first, [&] { return scorer.second.summarize(requests, parts); });
    if (!own) continue;
    for (const auto& [figure, value] : *own) figures[scorer.first + "/" + figure] = value;
  }
  return figures;
}

}  // namespace rft::plugins
