#include "worker/scoring.h"

#include <algorithm>
#include <numeric>
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

RolloutScoring::RolloutScoring(Scoring& scoring, std::vector<const Example*> examples, int64_t num_samples)
    : scoring_(scoring),
      examples_(std::move(examples)),
      episodes_(examples_.size() * static_cast<size_t>(num_samples)),
      taken_(examples_.size()) {
  for (size_t i = 0; i < episodes_.size(); ++i) {
    episodes_[i].example = examples_[i / static_cast<size_t>(num_samples)];
    episodes_[i].sample = static_cast<int64_t>(i) % num_samples;
  }
  if (scoring.pool_)
    round_.emplace(*scoring.pool_, episodes_, static_cast<size_t>(num_samples),
                   scoring.own_prompts_first(examples_.size()),
                   static_cast<size_t>(scoring.config_.batch_size));
}

engine::PromptEnded RolloutScoring::listener() {
  return [this](size_t prompt, const std::vector<engine::Completion>& samples) { take(prompt, samples); };
}

void RolloutScoring::take(size_t prompt, const std::vector<engine::Completion>& samples) {
  taken_[prompt] = true;
  for (size_t sample = 0; sample < samples.size(); ++sample)
    episodes_[prompt * samples.size() + sample].request =
        scoring_.request_of(*examples_[prompt], samples[sample]);
  if (round_) round_->ready(prompt);
}

Scoring::Scoring(const text::Tokenizer& tokenizer, std::vector<std::string> stop, engine::Ranks& ranks)
    : tokenizer_(tokenizer), stop_(std::move(stop)), ranks_(ranks) {}

void Scoring::start(const config::ScorerConfig& config, ScorerPool::Start start) {
  config_ = config;
  pool_ = std::make_unique<ScorerPool>(std::move(start), config_.hosts);
}

void Scoring::take_scorer_of(Scoring&& other) {
  config_ = std::move(other.config_);
  pool_ = std::move(other.pool_);
}

std::vector<ScoredCompletion> Scoring::score_training(
    RolloutScoring& rollout, std::vector<std::vector<engine::Completion>>&& completions,
    engine::ProgressSink& sink) {
  first_failure_.reset();
  auto episodes = score(rollout, std::move(completions), config_.on_error == "skip", sink);
  if (rollout.round_) busy_s_ += rollout.round_->busy_s();
  return episodes;
}

std::vector<ScoredCompletion> Scoring::score_validation(
    RolloutScoring& rollout, std::vector<std::vector<engine::Completion>>&& completions,
    engine::ProgressSink& sink) {
  return score(rollout, std::move(completions), /*skip_failures=*/false, sink);
}

std::vector<ScoredCompletion> Scoring::score(RolloutScoring& rollout,
                                             std::vector<std::vector<engine::Completion>>&& completions,
                                             bool skip_failures, engine::ProgressSink& sink) {
  std::vector<ScoredCompletion>& episodes = rollout.episodes_;
  ranks_.together([&] {
    for (size_t prompt = 0; prompt < completions.size(); ++prompt)  // those that other ranks have sampled
      if (!rollout.taken_[prompt]) rollout.take(prompt, completions[prompt]);
    if (!rollout.round_) return;
    rollout.round_->await(sink);
    settle(*rollout.round_, skip_failures);
  });
  size_t next = 0;
  for (std::vector<engine::Completion>& samples : completions)
    for (engine::Completion& completion : samples) episodes[next++].completion = std::move(completion);
  const std::string answers = ranks_.from_first(pool_ ? dump_json(answers_of(episodes)) : "");
  if (!pool_) take_answers(parse_json(answers, "the scores of the first rank"), episodes);
  return std::move(episodes);
}

void Scoring::score_again(std::vector<ScoredCompletion>& episodes, engine::ProgressSink& sink) {
  std::vector<size_t> all(episodes.size());
  std::iota(all.begin(), all.end(), size_t{0});
  ScoringRound round(*pool_, episodes, /*num_samples=*/1, all, static_cast<size_t>(config_.batch_size));
  for (const size_t episode : all) round.ready(episode);
  round.await(sink);
  settle(round, /*skip_failures=*/false);
}

void Scoring::settle(const ScoringRound& round, bool skip_failures) {
  const auto failure = round.first_failure();
  if (failure && !skip_failures) throw *failure;
  if (!first_failure_) first_failure_ = failure;
}

std::map<std::string, double> Scoring::figures(const std::vector<ScoredCompletion>& episodes) {
  std::map<std::string, double> figures;
  if (pool_) {
    std::vector<plugins::ScoreRequest> requests;
    std::vector<plugins::ScoreResult> results;
    for (const ScoredCompletion& episode : episodes) {
      requests.push_back(episode.request);
      results.push_back(episode.result);
    }
    if (const auto own = pool_->first().summarize(requests, results)) figures = *own;
  }
  return parse_json(ranks_.from_first(dump_json(figures)), "the figures of the first rank")
      .get<std::map<std::string, double>>();
}

// A rank hears of its own share while it is sampled, and of the others' at the end: only what is whole by
// itself makes batches that can go ahead.
std::vector<size_t> Scoring::own_prompts_first(size_t num_prompts) const {
  std::vector<size_t> prompts(num_prompts);
  std::iota(prompts.begin(), prompts.end(), size_t{0});
  std::stable_partition(prompts.begin(), prompts.end(), [&](size_t prompt) {
    return prompt % static_cast<size_t>(ranks_.size()) == static_cast<size_t>(ranks_.rank());
  });
  return prompts;
}

plugins::ScoreRequest Scoring::request_of(const Example& example,
                                          const engine::Completion& completion) const {
  return {.prompt = example.prompt,
          .completion = completion_text(completion),
          .record_json = dump_json(example.record),
          .finish_reason = std::string(to_string(completion.finish)),
          .prompt_tokens = static_cast<int64_t>(example.prompt_ids.size()),
          .completion_tokens = static_cast<int64_t>(completion.ids.size()),
          .generation_s = completion.seconds};
}

std::string Scoring::completion_text(const engine::Completion& completion) const {
  std::string text = tokenizer_.decode(completion.ids, /*skip_special_tokens=*/true);
  if (completion.finish != engine::FinishReason::stop) return text;
  size_t cut = std::string::npos;
  for (const std::string& stop : stop_) cut = std::min(cut, text.find(stop));
  return text.substr(0, cut);
}

}  // namespace rft::worker
