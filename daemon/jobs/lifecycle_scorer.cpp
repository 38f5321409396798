// What a job's lifecycle does for its scorer: another in its place where its owner asks for it, quarantine
// where it took its process down.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "jobs/lifecycle.h"
#include "plugins/pinned_scorer.h"
#include "plugins/quarantine.h"

namespace rft::jobs {

void Lifecycle::swap_scorer(int64_t id, const ScorerChoice& choice, const std::string& mutation_id,
                            std::function<void(const std::optional<Error>&)> then) {
  plugins_.rescan();  // a plugin that was dropped before the request is seen before it
  const Job& job = ledger_.find(id)->job;
  offload([this, choice, folder = options_.home.job(job.folder_name()),
           swaps = job.swaps] { return admission_.admit_swap(folder, choice, swaps); },
          [this, id, choice, mutation_id, then = std::move(then)](const auto& result,
                                                                  const std::optional<Error>& error) {
            if (error) return then(error);
            LiveJob* const live = ledger_.find(id);
            if (live == nullptr)
              return then(Error(ErrorCode::conflict, "the job ended before its next iteration", "job"));
            if (const auto* settling = std::get_if<PluginSettles>(&*result))
              return plugins_.when_settled(settling->name, [this, id, choice, mutation_id, then] {
                swap_scorer(id, choice, mutation_id, then);
              });
            keep_swap(*live, std::get<protocol::ScorerSwap>(*result), mutation_id, then);
          });
}

void Lifecycle::keep_swap(LiveJob& live, protocol::ScorerSwap swap, const std::string& mutation_id,
                          const std::function<void(const std::optional<Error>&)>& then) {
  swap.number = live.job.swaps.last.number + 1;
  swap.pause_if_refused = state_of(live.job.status) != State::running;
  const int64_t id = live.job.id;
  try {
    ledger_.request(id, live.job.status, mutation_id, [&](Job& job) {
      job.swaps.state = SwapState::pending;
      job.swaps.last = swap;
      job.swaps.mutation = mutation_id;
      job.swaps.iteration = 0;
      job.swaps.reason.clear();
    });
  } catch (const Error& error) {
    return then(error);
  }
  supervisor_.tell(id, to_json(swap));
  then(std::nullopt);
}

// What it has taken already it passes over, unless it had to go back to a resume point before that.
void Lifecycle::worker_connected(int64_t id) {
  const ScorerSwaps& swaps = ledger_.find(id)->job.swaps;
  if (swaps.pending())
    supervisor_.tell(id, to_json(swaps.last));
  else if (swaps.in_use)
    supervisor_.tell(id, to_json(*swaps.in_use));
}

void Lifecycle::scorer_decided(int64_t id, const protocol::ScorerSwapOutcome& outcome) {
  const ScorerSwaps& swaps = ledger_.find(id)->job.swaps;
  const protocol::ScorerSwap& swap = outcome.swap;
  const bool is_newest = swap.number == swaps.last.number;
  const bool is_news = (is_newest && swaps.pending()) ||
                       (outcome.taken && (!swaps.in_use || swap.number > swaps.in_use->number));
  if (!is_news) return;
  if (!outcome.taken)
    quarantine_scorer(ledger_.find(id)->job, swap, outcome.sub_scorer,
                      {.failure = outcome.failure, .reason = outcome.reason});
  const std::string before = ledger_.find(id)->job.scorer;
  ledger_.amend(
      id,
      [&](Job& job) {
        if (outcome.taken) {
          job.swaps.in_use = swap;
          job.scorer = swap.plugin;
        }
        if (!is_newest) return;
        job.swaps.state = outcome.taken ? SwapState::taken : SwapState::refused;
        job.swaps.iteration = outcome.iteration;
        job.swaps.reason = outcome.reason;
      },
      outcome.taken ? fmt::format("the scorer {} took the place of {} after iteration {}", title_of(swap),
                                  before, outcome.iteration)
                    : fmt::format("the scorer {} was refused after iteration {}: {}", title_of(swap),
                                  outcome.iteration, outcome.reason));
  Json event = {{"number", swap.number},         {"scorer", swap.plugin}, {"options", swap.options},
                {"settings", swap.settings},     {"before", before},      {"taken", outcome.taken},
                {"iteration", outcome.iteration}};
  if (!outcome.taken) event["reason"] = outcome.reason;
  ledger_.publish(id, "scorer", event);
}

void Lifecycle::quarantine_scorer(const Job& job, const std::optional<protocol::ScorerSwap>& swap,
                                  const std::string& sub_scorer, plugins::QuarantineReport report) const try {
  if (!plugins::calls_for_quarantine(report.failure)) return;  // most ends have nothing to do with a scorer
  const auto folder = options_.home.job(job.folder_name());
  const config::JobConfig plan = plan_after(swap, folder);
  const auto pinned = config::pinned_scorers(plan);
  const auto failed = std::ranges::find(pinned, sub_scorer, &config::PinnedScorer::name);
  if (failed == pinned.end()) return;
  report.digest = failed->digest;
  report.job = job.id;
  plugins::Quarantine(options_.home.quarantine())
      .add(report, plugins::options_of(*failed, plan, folder, plugins::host_program_beside_executable()),
           "scorer");
} catch (const std::exception& error) {
  spdlog::error(
      fmt::format("the scorer of job {} could not be put into quarantine: {}", job.id, error.what()));
}

}  // namespace rft::jobs
