#include "worker/scorer_swap.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "plugins/plugin_error.h"
#include "worker/evaluation.h"
#include "worker/start_scorer.h"

namespace rft::worker {
namespace {

using protocol::ScorerSwap;
using protocol::ScorerSwapOutcome;

// A past evaluation, with what the new scorer says of it.
struct Rescored {
  EvaluationKey key;
  std::vector<ScoredCompletion> episodes;
  Evaluation evaluation;
};

// The new scorer, tried, and what follows from its figures.
struct Successor {
  Scoring scoring;
  std::vector<Rescored> evaluations;
  RunState state;
};

// The same answer on all ranks.
std::optional<ScorerSwap> asked_swap(Run& run) {
  std::optional<ScorerSwap> asked;
  if (run.ranks.first()) asked = run.reporter.take_scorer_swap();
  const Json told = parse_json(run.ranks.from_first(asked ? dump_json(to_json(*asked)) : "null"),
                               "the first rank's word on the scorer");
  return told.is_null() ? std::nullopt : std::optional(protocol::scorer_swap_from_json(told));
}

// Whether later figures will be compared with those of this evaluation.
bool still_counts(const RunState& state, int64_t last_epoch, const EvaluationKey& key) {
  if (key.stage != "epoch") return true;
  return key.iteration == last_epoch ||
         std::ranges::count(state.checkpoints, key.iteration, &CheckpointEntry::iteration) > 0;
}

std::vector<ScoredCompletion> read_episodes(const Run& run, const Json& entry) {
  const std::vector<Example>& examples = entry.at("split") == "test" ? run.data.test : run.data.validation;
  const auto seconds = entry.at("generation_s").get<std::vector<double>>();
  std::ifstream journal(run.folder.root / "validation.jsonl", std::ios::binary);
  journal.seekg(entry.at("offset").get<int64_t>());
  std::vector<ScoredCompletion> episodes(examples.size());
  std::string line;
  for (size_t i = 0; i < examples.size() && std::getline(journal, line); ++i) {
    const Json journalled = parse_json(line, "a line of validation.jsonl");
    episodes[i].example = &examples[i];
    episodes[i].request = {.prompt = examples[i].prompt,
                           .completion = journalled.at("completion"),
                           .record_json = dump_json(examples[i].record),
                           .finish_reason = journalled.at("finish_reason"),
                           .prompt_tokens = static_cast<int64_t>(examples[i].prompt_ids.size()),
                           .completion_tokens = journalled.at("completion_tokens"),
                           .generation_s = seconds.at(i)};
  }
  if (!journal) throw Error(ErrorCode::io, "validation.jsonl is shorter than evaluations.jsonl says");
  return episodes;
}

std::vector<Rescored> evaluations_that_count(const Run& run) {
  std::vector<Json> entries;
  int64_t last_epoch = 0;
  for_each_json_line(run.folder.root / "evaluations.jsonl", [&](Json&& entry, size_t) {
    if (entry.value("rescored", false)) return;
    if (entry.at("stage") == "epoch") last_epoch = entry.at("iteration");
    entries.push_back(std::move(entry));
  });
  std::vector<Rescored> evaluations;
  for (const Json& entry : entries) {
    const EvaluationKey key{entry.at("split"), entry.at("stage"), entry.at("iteration")};
    if (still_counts(run.state, last_epoch, key)) evaluations.push_back({key, read_episodes(run, entry), {}});
  }
  return evaluations;
}

// By name, of the run as it is.
const std::string& present_scorer(const Run& run) {
  return run.state.scorer ? run.state.scorer->plugin : run.config.scorer.plugin;
}

// The stage whose model is checkpoint 0.
std::string first_stage(const RunState& state) {
  return state.has_result("validation", "warmup") ? "warmup" : "base";
}

const Rescored& validation_of(const std::vector<Rescored>& evaluations, const std::string& first_stage,
                              int64_t iteration) {
  const auto found = std::ranges::find_if(evaluations, [&](const Rescored& past) {
    return past.key.split == "validation" && past.key.iteration == iteration &&
           past.key.stage == (iteration == 0 ? first_stage : "epoch");
  });
  if (found == evaluations.end())
    throw Error(ErrorCode::conflict,
                fmt::format("the completions of the validation after iteration {} are not known, since a "
                            "version of rftd before swaps made it",
                            iteration));
  return *found;
}

// The state as it would be had the new scorer made its figures.
RunState state_with(const Run& run, const ScorerSwap& swap, const std::vector<Rescored>& evaluations) {
  RunState state = run.state;
  for (const Rescored& past : evaluations)
    if (past.key.stage != "epoch") state.results[past.key.split][past.key.stage] = past.evaluation.values;
  const std::string first = first_stage(state);
  for (CheckpointEntry& entry : state.checkpoints)
    entry.value = validation_of(evaluations, first, entry.iteration).evaluation.value;
  // Of two equal ones the earlier is the better, as ever.
  std::ranges::sort(state.checkpoints, [](const CheckpointEntry& a, const CheckpointEntry& b) {
    return a.value != b.value ? a.value > b.value : a.iteration < b.iteration;
  });
  state.results["validation"].erase("best");
  if (state.best().iteration > 0)
    state.results["validation"]["best"] =
        validation_of(evaluations, first, state.best().iteration).evaluation.values;
  state.epochs_without_gain = 0;
  state.watch.epoch_score = 0;
  state.watch.epoch_iterations = 0;

  Json digests = Json::object();
  for (const auto& [name, scorer] : swap.scorers.items()) digests[name] = scorer.at("digest");
  state.results["scorer_swaps"].push_back({{"number", swap.number},
                                           {"iteration", state.iteration},
                                           {"from", present_scorer(run)},
                                           {"to", swap.plugin},
                                           {"options", swap.options},
                                           {"settings", swap.settings},
                                           {"digests", digests}});
  state.scorer = swap;
  return state;
}

// Throws Error with what is wrong with the new scorer.
Successor try_successor(Run& run, const ScorerSwap& swap) {
  const config::JobConfig config = with_scorer(run.config, swap);
  Successor next{Scoring(run.tokenizer, config.rollout.stop, engine::Ranks::alone()), {}, {}};
  next.scoring.start(config.scorer, hosts_of(config, run.folder, run.options.host_program));
  std::vector<ScoredCompletion> last_batch = run.last_batch;
  next.scoring.score_again(last_batch, run.reporter);
  next.evaluations = evaluations_that_count(run);
  for (Rescored& past : next.evaluations) {
    next.scoring.score_again(past.episodes, run.reporter);
    past.evaluation = measure(next.scoring, config.validation.metric, past.episodes);
  }
  next.state = state_with(run, swap, next.evaluations);
  return next;
}

void tell(Run& run, const ScorerSwapOutcome& outcome) { run.reporter.send(to_json(outcome)); }

void refuse(Run& run, const ScorerSwapOutcome& refusal) {
  const std::string message =
      fmt::format("{} does not take the place of the scorer {}: {}", protocol::title_of(refusal.swap),
                  present_scorer(run), refusal.reason);
  run.reporter.warn("scorer_swap_refused", message);
  tell(run, refusal);
  if (refusal.swap.pause_if_refused)
    run.pause_reason =
        fmt::format("paused after iteration {}: {}. Swap the scorer again, or keep the present one",
                    run.state.iteration, message);
}

void journal(Run& run, const std::vector<Rescored>& evaluations) {
  for (const Rescored& past : evaluations) {
    const auto& [key, episodes, evaluation] = past;
    journal_evaluation(run, key, episodes, /*rescored=*/true);
    run.reporter.note_metrics(key.iteration, key.iteration == 0 ? 0 : run.length.epoch_of(key.iteration),
                              metrics_of(key.split, evaluation));
    run.reporter.log("info",
                     fmt::format("{} ({}, iteration {}), scored again: {} {:.4f}", key.split, key.stage,
                                 key.iteration, run.config.validation.metric, evaluation.value));
  }
}

}  // namespace

void swap_scorer(Run& run) {
  const auto swap = asked_swap(run);
  if (!swap) return;
  if (swap->number <= run.state.scorer_swaps()) {
    const Json& last = run.state.results.at("scorer_swaps").back();
    return tell(run, {.swap = *run.state.scorer, .taken = true, .iteration = last.at("iteration")});
  }
  std::optional<Successor> next;
  ScorerSwapOutcome refusal{.swap = *swap, .iteration = run.state.iteration};
  run.ranks.together([&] {
    if (!run.ranks.first()) return;
    try {
      next.emplace(try_successor(run, *swap));
    } catch (const plugins::PluginError& error) {
      refusal.reason = error.what();
      refusal.failure = to_string(error.kind());
      refusal.sub_scorer = error.sub_scorer();
    } catch (const Error& error) {
      refusal.reason = error.what();
    }
  });
  const Json verdict = parse_json(run.ranks.from_first(dump_json(next ? Json{{"state", to_json(next->state)}}
                                                                      : Json{{"refusal", to_json(refusal)}})),
                                  "the first rank's verdict on the scorer");
  if (verdict.contains("refusal"))
    return refuse(run, protocol::scorer_swap_outcome_from_json(verdict.at("refusal")));

  run.state = run_state_from_json(verdict.at("state"));
  run.reporter.set_scorer_swaps(run.state.scorer_swaps());
  if (next) {
    journal(run, next->evaluations);
    run.scoring.take_scorer_of(std::move(next->scoring));
  }
  run.save_resume_point();
  run.reporter.log("info", fmt::format("{} is the scorer from iteration {} on", protocol::title_of(*swap),
                                       run.state.iteration + 1));
  if (!next) return;
  const Rescored& best = validation_of(next->evaluations, first_stage(run.state), run.state.best().iteration);
  for (const Rescored& past : next->evaluations)
    report_evaluation(run, past.key, past.evaluation, &past == &best);
  tell(run, {.swap = *swap, .taken = true, .iteration = run.state.iteration});
}

}  // namespace rft::worker
