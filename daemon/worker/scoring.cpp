#include "worker/scoring.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rft::worker {
namespace {

std::string_view to_string(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::eos:
      return "eos";
    case engine::FinishReason::stop:
      return "stop";
    case engine::FinishReason::length:
      return "length";
  }
  return "length";
}

std::vector<plugins::ScoreRequest> requests_of(std::span<const ScoredCompletion> episodes) {
  std::vector<plugins::ScoreRequest> requests;
  requests.reserve(episodes.size());
  for (const ScoredCompletion& episode : episodes) requests.push_back(episode.request);
  return requests;
}

// What every rank has to know of the results: [score or null, [[name, sub-score], …]] of each episode.
Json answers_of(const std::vector<ScoredCompletion>& episodes) {
  Json answers = Json::array();
  for (const ScoredCompletion& episode : episodes) {
    const plugins::ScoreResult& result = episode.result;
    answers.push_back(Json::array({result.score ? Json(*result.score) : Json(), result.sub_scores}));
  }
  return answers;
}

void take_answers(const Json& answers, std::vector<ScoredCompletion>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    plugins::ScoreResult& result = episodes[i].result;
    if (const Json& score = answers.at(i).at(0); !score.is_null()) result.score = score.get<double>();
    result.sub_scores = answers.at(i).at(1).get<decltype(result.sub_scores)>();
  }
}

}  // namespace

Json to_json(const ScoredCompletion& scored) {
  Json line = {{"prompt", scored.request.prompt}, {"completion", scored.request.completion}};
  line["score"] = scored.result.score ? Json(*scored.result.score) : Json();
  if (!scored.result.reason.empty()) line["reason"] = scored.result.reason;
  if (!scored.result.valid) line["valid"] = false;
  for (const auto& [name, value] : scored.result.sub_scores) line["sub_scores"][name] = value;
  line["finish_reason"] = scored.request.finish_reason;
  line["completion_tokens"] = scored.request.completion_tokens;
  return line;
}

Scoring::Scoring(const config::ScorerConfig& config, const text::Tokenizer& tokenizer,
                 std::vector<std::string> stop, engine::Ranks& ranks)
    : skip_failures_(config.on_error == "skip"),
      tokenizer_(tokenizer),
      stop_(std::move(stop)),
      ranks_(ranks) {}

std::vector<ScoredCompletion> Scoring::describe(
    const std::vector<const Example*>& examples,
    std::vector<std::vector<engine::Completion>>&& completions) const {
  std::vector<ScoredCompletion> described;
  for (size_t i = 0; i < examples.size(); ++i) {
    for (size_t sample = 0; sample < completions[i].size(); ++sample) {
      ScoredCompletion scored;
      scored.example = examples[i];
      scored.sample = static_cast<int64_t>(sample);
      scored.completion = std::move(completions[i][sample]);
      plugins::ScoreRequest& request = scored.request;
      request.prompt = examples[i]->prompt;
      request.completion = completion_text(scored.completion);
      request.record_json = dump_json(examples[i]->record);
      request.finish_reason = to_string(scored.completion.finish);
      request.prompt_tokens = static_cast<int64_t>(examples[i]->prompt_ids.size());
      request.completion_tokens = static_cast<int64_t>(scored.completion.ids.size());
      request.generation_s = scored.completion.seconds;
      described.push_back(std::move(scored));
    }
  }
  return described;
}

int64_t Scoring::score_training(std::vector<ScoredCompletion>& episodes, engine::ProgressSink& sink) {
  first_failure_.reset();
  score(episodes, skip_failures_, sink);
  return static_cast<int64_t>(
      std::erase_if(episodes, [](const ScoredCompletion& episode) { return !episode.result.score; }));
}

std::map<std::string, double> Scoring::score_validation(std::vector<ScoredCompletion>& episodes,
                                                        engine::ProgressSink& sink) {
  score(episodes, /*skip_failures=*/false, sink);
  std::map<std::string, double> figures;
  if (scorer_) {
    std::vector<plugins::ScoreResult> results;
    results.reserve(episodes.size());
    for (const ScoredCompletion& episode : episodes) results.push_back(episode.result);
    figures = scorer_->summarize(requests_of(episodes), results).value_or(std::map<std::string, double>{});
  }
  return parse_json(ranks_.from_first(dump_json(figures)), "the figures of the first rank")
      .get<std::map<std::string, double>>();
}

void Scoring::try_scorer(const std::vector<plugins::ScoreRequest>& requests, engine::ProgressSink& sink) {
  std::vector<ScoredCompletion> episodes(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) episodes[i].request = requests[i];
  ask_scorer(episodes, /*skip_failures=*/false, sink);
}

void Scoring::score(std::vector<ScoredCompletion>& episodes, bool skip_failures, engine::ProgressSink& sink) {
  ranks_.together([&] {
    if (scorer_) ask_scorer(episodes, skip_failures, sink);
  });
  const std::string answers = ranks_.from_first(scorer_ ? dump_json(answers_of(episodes)) : "");
  if (!scorer_) take_answers(parse_json(answers, "the scores of the first rank"), episodes);
}

void Scoring::ask_scorer(std::vector<ScoredCompletion>& episodes, bool skip_failures,
                         engine::ProgressSink& sink) {
  const auto total = static_cast<int64_t>(episodes.size());
  for (size_t begin = 0; begin < episodes.size(); begin += plugins::kEpisodesPerBatch) {
    if (sink.stop_requested()) throw engine::Interrupted();
    sink.advance("score", static_cast<int64_t>(begin), total, "episodes");
    const std::span batch =
        std::span(episodes).subspan(begin, std::min(plugins::kEpisodesPerBatch, episodes.size() - begin));
    score_batch(batch, skip_failures);
  }
  sink.advance("score", total, total, "episodes");
}

void Scoring::score_batch(std::span<ScoredCompletion> batch, bool skip_failures) {
  const auto fail = [&](const plugins::PluginError& failure) {
    if (!skip_failures) throw failure;
    if (!first_failure_) first_failure_ = failure;
  };
  std::vector<plugins::ScoreResult> results;
  try {
    results = scorer_->score(requests_of(batch));
  } catch (const plugins::PluginError& failure) {
    return fail(failure);  // all of them stay without a score
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i].result = std::move(results[i]);
    if (!batch[i].result.score) fail(scorer_->failure_of(batch[i].request, batch[i].result));
  }
}

std::string Scoring::completion_text(const engine::Completion& completion) const {
  std::string text = tokenizer_.decode(completion.ids, /*skip_special_tokens=*/true);
  if (completion.finish != engine::FinishReason::stop) return text;
  size_t cut = std::string::npos;
  for (const std::string& stop : stop_) cut = std::min(cut, text.find(stop));
  return text.substr(0, cut);
}

}  // namespace rft::worker
