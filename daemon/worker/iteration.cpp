#include "worker/iteration.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "base/machine_memory.h"
#include "engine/ppo/permutation.h"
#include "engine/rollout/divided.h"
#include "worker/checkpoints.h"
#include "worker/evaluation.h"

namespace rft::worker {
namespace {

using Clock = std::chrono::steady_clock;

// Keeps the order of the prompts apart from the orders inside the updates, which have the iteration there.
constexpr uint64_t kPromptOrder = ~uint64_t{0};
constexpr uint64_t kRefillOrder = kPromptOrder - 1;

engine::Episode episode_of(const Run& run, const ScoredCompletion& scored) {
  engine::Episode episode;
  episode.prompt_index = scored.example - run.data.train.data();
  episode.sample = scored.sample;
  episode.prompt_ids = scored.example->prompt_ids;
  episode.completion_ids = scored.completion.ids;
  episode.rollout_log_probs = scored.completion.log_probs;
  episode.cut = scored.completion.finish == engine::FinishReason::length;
  episode.score = scored.result.score.value();
  return episode;
}

std::vector<engine::Episode> episodes_of(const Run& run, const std::vector<ScoredCompletion>& scored) {
  std::vector<engine::Episode> episodes;
  episodes.reserve(scored.size());
  for (const ScoredCompletion& completion : scored) episodes.push_back(episode_of(run, completion));
  return episodes;
}

// The prompts that the iteration did not begin with, in an order that is a function of seed and iteration.
Prompts spare_prompts(const Run& run, const Prompts& used) {
  const auto order = engine::permutation(static_cast<int64_t>(run.data.train.size()),
                                         static_cast<uint64_t>(run.config.training.seed), kRefillOrder,
                                         static_cast<uint64_t>(run.state.iteration));
  const std::set<size_t> taken(used.begin(), used.end());
  Prompts spare;
  for (const int64_t index : order)
    if (!taken.contains(static_cast<size_t>(index))) spare.push_back(static_cast<size_t>(index));
  return spare;
}

std::string first_failure_text(const Run& run) {
  const auto& first = run.scoring.first_failure();
  return first ? std::string(", first: ") + first->what() : "";
}

[[noreturn]] void fail_without_scores(const Run& run) {
  const std::string text = fmt::format("the scorer failed on every episode of iteration {}{}",
                                       run.state.iteration + 1, first_failure_text(run));
  if (const auto& first = run.scoring.first_failure()) throw plugins::PluginError(first->kind(), text);
  throw Error(ErrorCode::plugin, text);
}

// The share of the commonest completion.
double identical_share(const std::vector<ScoredCompletion>& episodes) {
  std::map<std::vector<int64_t>, size_t> counts;
  size_t most = 0;
  for (const ScoredCompletion& episode : episodes) most = std::max(most, ++counts[episode.completion.ids]);
  return static_cast<double>(most) / static_cast<double>(episodes.size());
}

// A job's owner finds the warnings in its status, its log and its summary.
void act_on(Run& run, const std::vector<WatchWarning>& warnings) {
  for (const WatchWarning& warning : warnings) {
    run.reporter.warn(warning.name, warning.message);
    run.state.results["warnings"].push_back(
        {{"iteration", run.state.iteration}, {"name", warning.name}, {"message", warning.message}});
    if (run.config.watch.action == "pause" && run.pause_reason.empty())
      run.pause_reason = fmt::format("paused by [watch] {} after iteration {}: {}", warning.name,
                                     run.state.iteration, warning.message);
  }
}

std::map<std::string, double> rollout_metrics(const std::vector<ScoredCompletion>& episodes) {
  const auto count = static_cast<double>(episodes.size());
  double sum = 0, squares = 0, length = 0, cut = 0;
  std::set<const Example*> prompts;
  std::map<std::string, double> metrics;
  for (const ScoredCompletion& episode : episodes) {
    const double score = episode.result.score.value();
    sum += score;
    squares += score * score;
    length += static_cast<double>(episode.request.completion_tokens);
    cut += episode.completion.finish == engine::FinishReason::length ? 1 : 0;
    prompts.insert(episode.example);
    for (const auto& [name, value] : episode.result.sub_scores) metrics["rollout/" + name] += value / count;
  }
  metrics["rollout/score_mean"] = sum / count;
  metrics["rollout/score_std"] = std::sqrt(std::max(0.0, squares / count - (sum / count) * (sum / count)));
  metrics["rollout/completion_length"] = length / count;
  metrics["rollout/cut_share"] = cut / count;
  metrics["rollout/identical_share"] = identical_share(episodes);
  metrics["rollout/episodes"] = count;
  metrics["rollout/prompts"] = static_cast<double>(prompts.size());
  return metrics;
}

void journal(Run& run, const std::vector<ScoredCompletion>& episodes,
             const std::vector<float>& kl_to_reference) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    Json line = {{"iteration", run.state.iteration},
                 {"prompt_index", episodes[i].example - run.data.train.data()},
                 {"sample", episodes[i].sample}};
    line.update(to_json(episodes[i]));
    line["kl_to_reference"] = kl_to_reference[i];
    run.reporter.rollout(line);
  }
}

// What another scorer would be tried on.
void keep_last_batch(Run& run, const std::vector<ScoredCompletion>& episodes) {
  run.last_batch.clear();
  const size_t count = std::min(episodes.size(), plugins::kEpisodesPerBatch);
  for (size_t i = episodes.size() - count; i < episodes.size(); ++i)
    run.last_batch.push_back({.request = episodes[i].request});
}

}  // namespace

Prompts next_prompts(const Run& run) {
  const int64_t epoch = run.state.iteration / run.length.iterations_per_epoch;
  const int64_t place = run.state.iteration % run.length.iterations_per_epoch;
  const auto order = engine::permutation(static_cast<int64_t>(run.data.train.size()),
                                         static_cast<uint64_t>(run.config.training.seed), kPromptOrder,
                                         static_cast<uint64_t>(epoch));
  const int64_t begin = place * run.length.prompts_per_iteration;
  const int64_t end = std::min(begin + run.length.prompts_per_iteration, static_cast<int64_t>(order.size()));
  return {order.begin() + begin, order.begin() + end};
}

RolloutScoring begin_scoring(Run& run, const Prompts& prompts) {
  std::vector<const Example*> examples;
  for (const size_t index : prompts) examples.push_back(&run.data.train[index]);
  return {run.scoring, std::move(examples), run.config.rollout.samples_per_prompt};
}

Completions roll_out(Run& run, const Prompts& prompts, RolloutScoring& scoring) {
  const int64_t iteration = run.state.iteration + 1;
  run.reporter.set_position(
      {iteration, run.length.num_iterations, run.length.epoch_of(iteration), run.config.training.epochs});
  const config::RolloutConfig& rollout = run.config.rollout;
  engine::SamplingOptions sampling;
  sampling.temperature = rollout.temperature;
  sampling.max_new_tokens = rollout.max_new_tokens;
  sampling.stop = rollout.stop;
  sampling.seed = static_cast<uint64_t>(run.config.training.seed);
  sampling.iteration = static_cast<uint64_t>(iteration);

  std::vector<engine::Prompt> batch;
  for (const size_t index : prompts)
    batch.push_back({.ids = run.data.train[index].prompt_ids,
                     .num_samples = rollout.samples_per_prompt,
                     .stream = index});
  const auto start = Clock::now();
  auto completions = engine::generate_divided(*run.policy, batch, sampling, &run.tokenizer, run.reporter,
                                              run.ranks, scoring.listener());
  run.times.rollout_s += seconds_since(start);
  return completions;
}

std::vector<ScoredCompletion> score(Run& run, RolloutScoring& scoring, Completions&& completions) {
  const auto start = Clock::now();
  auto episodes = run.scoring.score_training(scoring, std::move(completions), run.reporter);
  run.times.score_wait_s += seconds_since(start);
  const auto dropped = static_cast<int64_t>(
      std::erase_if(episodes, [](const ScoredCompletion& episode) { return !episode.result.score; }));
  if (dropped > 0)
    run.reporter.warn("episodes_dropped",
                      fmt::format("the scorer failed on {} of {} episodes of iteration {}{}", dropped,
                                  dropped + static_cast<int64_t>(episodes.size()), run.state.iteration + 1,
                                  first_failure_text(run)));
  return episodes;
}

void refill(Run& run, const Prompts& prompts, std::vector<ScoredCompletion>& episodes) {
  const config::RolloutConfig& rollout = run.config.rollout;
  if (rollout.dynamic_sampling != "refill") return;
  Prompts spare = spare_prompts(run, prompts);
  for (int64_t round = 1; round < rollout.max_sampling_rounds && !spare.empty(); ++round) {
    const auto uneven = static_cast<size_t>(run.trainer.num_uneven_groups(episodes_of(run, episodes)));
    if (uneven >= prompts.size()) return;
    const auto end = spare.begin() + static_cast<int64_t>(std::min(prompts.size() - uneven, spare.size()));
    const Prompts more(spare.begin(), end);
    spare.erase(spare.begin(), end);
    RolloutScoring scoring = begin_scoring(run, more);
    std::ranges::move(score(run, scoring, roll_out(run, more, scoring)), std::back_inserter(episodes));
  }
}

void update_policy(Run& run, const std::vector<ScoredCompletion>& scored) {
  if (scored.empty()) fail_without_scores(run);
  double tokens = 0;
  for (const ScoredCompletion& completion : scored)
    tokens += static_cast<double>(completion.completion.ids.size());
  const auto start = Clock::now();
  engine::UpdateReport report =
      run.trainer.update(episodes_of(run, scored), run.state.iteration, run.reporter);
  const double update_s = seconds_since(start);
  ++run.state.iteration;

  journal(run, scored, report.kl_to_reference);
  keep_last_batch(run, scored);
  auto metrics = rollout_metrics(scored);
  metrics.merge(report.metrics);
  metrics["memory/peak_bytes"] = static_cast<double>(peak_memory_bytes());
  metrics["time/rollout_s"] = run.times.rollout_s;
  metrics["time/score_s"] = run.scoring.take_busy_s();
  metrics["time/score_wait_s"] = run.times.score_wait_s;
  metrics["time/update_s"] = update_s;
  metrics["throughput/rollout_tokens_per_s"] = tokens / run.times.rollout_s;
  run.reporter.metrics(metrics);
  run.reporter.log("info",
                   fmt::format("iteration {}/{}: score {:.4f}, kl {:.4f}, {:.1f} tokens, {:.1f} s",
                               run.state.iteration, run.length.num_iterations, metrics["rollout/score_mean"],
                               metrics["objective/kl_to_reference"], metrics["rollout/completion_length"],
                               run.times.rollout_s + run.times.score_wait_s + update_s));
  run.times = {};
  act_on(run, watch_iteration(run.config.watch, metrics, run.state.watch));
}

bool epoch_ended(const Run& run) {
  return run.state.iteration / run.length.iterations_per_epoch > run.state.epoch_validated;
}

void validate_epoch(Run& run) {
  RunState& state = run.state;
  const Evaluation evaluation = evaluate(run, *run.policy, run.data.validation, "validation", "epoch");
  ++state.epoch_validated;
  // Checkpoint 0 is always there: a gain is one over the model that PPO began with.
  const bool gained = evaluation.value > state.best().value;
  keep_checkpoint(run, evaluation.value);
  state.epochs_without_gain = gained ? 0 : state.epochs_without_gain + 1;
  if (gained) state.results["validation"]["best"] = evaluation.values;
  report_evaluation(run, {"validation", "epoch", state.iteration}, evaluation, gained);
  act_on(run, watch_epoch(run.config.watch, evaluation.values.at("score_mean"), state.watch));

  const config::ValidationConfig& validation = run.config.validation;
  if (!gained && validation.on_plateau == "halve_learning_rate") {
    run.trainer.scale_learning_rate(0.5);
    run.reporter.log("info", "no gain in this epoch: the learning rate is halved");
  }
  if (validation.patience > 0 && state.epochs_without_gain >= validation.patience) {
    state.stopped_early = true;
    run.reporter.log("info", fmt::format("no gain in {} epochs: stopping early", state.epochs_without_gain));
  }
}

bool finished(const Run& run) {
  return run.state.stopped_early || run.state.iteration >= run.length.num_iterations;
}

}  // namespace rft::worker
