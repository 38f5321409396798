#include "worker/evaluation.h"

#include <fmt/format.h>

#include "base/error.h"
#include "engine/rollout/divided.h"

namespace rft::worker {
namespace {

engine::SamplingOptions sampling(const Run& run) {
  const config::ValidationConfig& validation = run.config.validation;
  engine::SamplingOptions options;
  options.temperature = validation.temperature;
  options.top_k = validation.top_k;
  options.top_p = validation.top_p;
  options.max_new_tokens = run.config.rollout.max_new_tokens;
  options.stop = run.config.rollout.stop;
  options.seed = static_cast<uint64_t>(run.config.training.seed);
  options.iteration = 0;  // the same random numbers every time: a difference is the model's
  return options;
}

// The engine calls every generation a rollout; here it is a step of the evaluation of a split.
class EvaluationProgress : public engine::ProgressSink {
 public:
  EvaluationProgress(engine::ProgressSink& sink, const std::string& split) : sink_(sink), split_(split) {}
  void advance(std::string_view, int64_t done, int64_t total, std::string_view) override {
    sink_.advance(split_, done, total, "records");
  }
  bool stop_requested() const override { return sink_.stop_requested(); }

 private:
  engine::ProgressSink& sink_;
  const std::string& split_;
};

std::vector<ScoredCompletion> complete_and_score(Run& run, const engine::Decoder& model,
                                                 const std::vector<Example>& examples,
                                                 engine::ProgressSink& progress) {
  std::vector<engine::Prompt> prompts;
  std::vector<const Example*> sources;
  for (size_t i = 0; i < examples.size(); ++i) {
    prompts.push_back({.ids = examples[i].prompt_ids, .num_samples = 1, .stream = i});
    sources.push_back(&examples[i]);
  }
  RolloutScoring scoring(run.scoring, std::move(sources), /*num_samples=*/1);
  auto completions = engine::generate_divided(model, prompts, sampling(run), &run.tokenizer, progress,
                                              run.ranks, scoring.listener());
  return run.scoring.score_validation(scoring, std::move(completions), progress);
}

std::map<std::string, double> means(const std::vector<ScoredCompletion>& episodes) {
  std::map<std::string, double> sums;
  for (const ScoredCompletion& episode : episodes) {
    sums["score_mean"] += episode.result.score.value();
    sums["completion_length"] += static_cast<double>(episode.request.completion_tokens);
    sums["cut_share"] += episode.request.finish_reason == "length" ? 1 : 0;
    for (const auto& [name, value] : episode.result.sub_scores) sums[name] += value;
  }
  for (auto& [name, sum] : sums) sum /= static_cast<double>(episodes.size());
  return sums;
}

void remember(Run& run, const std::string& split, const std::string& stage, const Evaluation& evaluation) {
  run.state.results[split][stage] = evaluation.values;
}

}  // namespace

Evaluation measure(Scoring& scoring, const std::string& metric,
                   const std::vector<ScoredCompletion>& episodes) {
  Evaluation evaluation;
  evaluation.values = means(episodes);
  for (const auto& [name, value] : scoring.figures(episodes)) evaluation.values[name] = value;
  if (!evaluation.values.contains(metric)) {
    std::string known;
    for (const auto& [name, value] : evaluation.values) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::invalid_argument,
                "[validation] metric \"" + metric + "\" is none of this scorer's figures: " + known);
  }
  evaluation.value = evaluation.values.at(metric);
  return evaluation;
}

void journal_evaluation(Run& run, const EvaluationKey& key, const std::vector<ScoredCompletion>& episodes,
                        bool rescored) {
  const Json name = {{"split", key.split}, {"stage", key.stage}, {"iteration", key.iteration}};
  Json evaluation = name;
  if (rescored) evaluation["rescored"] = true;
  evaluation["generation_s"] = Json::array();
  std::vector<Json> lines;
  for (const ScoredCompletion& episode : episodes) {
    lines.push_back(name);
    lines.back().update(to_json(episode));
    lines.back()["record"] = episode.example->record;
    evaluation["generation_s"].push_back(episode.request.generation_s);
  }
  run.reporter.evaluated(evaluation, lines);
}

std::map<std::string, double> metrics_of(const std::string& split, const Evaluation& evaluation) {
  std::map<std::string, double> metrics;
  for (const auto& [name, value] : evaluation.values) metrics[split + "/" + name] = value;
  return metrics;
}

Evaluation evaluate(Run& run, const engine::Decoder& model, const std::vector<Example>& examples,
                    const std::string& split, const std::string& stage) {
  EvaluationProgress progress(run.reporter, split);
  const std::vector<ScoredCompletion> episodes = complete_and_score(run, model, examples, progress);
  const std::string& metric = run.config.validation.metric;
  Evaluation evaluation = measure(run.scoring, metric, episodes);
  journal_evaluation(run, {split, stage, run.state.iteration}, episodes);
  run.reporter.metrics(metrics_of(split, evaluation));
  run.reporter.log("info", fmt::format("{} ({}): {} {:.4f} over {} records", split, stage, metric,
                                       evaluation.value, examples.size()));
  return evaluation;
}

void report_evaluation(Run& run, const EvaluationKey& key, const Evaluation& evaluation, bool best) {
  Json event = {{"type", "validation"},
                {"stage", key.stage},
                {"split", key.split},
                {"iteration", key.iteration},
                {"epoch", key.iteration == 0 ? 0 : run.length.epoch_of(key.iteration)},
                {"metric", run.config.validation.metric},
                {"value", evaluation.value},
                {"values", evaluation.values},
                {"best", best}};
  if (const int64_t swaps = run.state.scorer_swaps(); swaps > 0) event["scorer_swaps"] = swaps;
  run.reporter.send(event);
}

void evaluate_once(Run& run, const std::string& stage) {
  if (!run.state.has_result("validation", stage)) {
    const Evaluation evaluation = evaluate(run, *run.policy, run.data.validation, "validation", stage);
    remember(run, "validation", stage, evaluation);
    report_evaluation(run, {"validation", stage, run.state.iteration}, evaluation, /*best=*/false);
  }
  if (!run.data.test.empty() && !run.state.has_result("test", stage)) {
    const Evaluation evaluation = evaluate(run, *run.policy, run.data.test, "test", stage);
    remember(run, "test", stage, evaluation);
    report_evaluation(run, {"test", stage, run.state.iteration}, evaluation, /*best=*/false);
  }
}

void evaluate_exported_model(Run& run) {
  const bool has_test = !run.data.test.empty();
  const std::string split = has_test ? "test" : "validation";
  if (run.state.has_result(split, "final")) return;
  run.policy->weights_changed();  // what was derived from its weights makes room for the other model's
  const auto model = engine::Decoder::load(run.folder.model(), run.decoder_options);
  const Evaluation evaluation =
      evaluate(run, *model, has_test ? run.data.test : run.data.validation, split, "final");
  remember(run, split, "final", evaluation);
  report_evaluation(run, {split, "final", run.state.best().iteration}, evaluation, /*best=*/true);
}

}  // namespace rft::worker
