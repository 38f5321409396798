// What is known of the changes of a job's scorer that its owner asked for. The newest counts: it is pending
// until a worker has taken or refused it, also while the job is at rest, and it is refused when the job ends
// before that. Plain values, no threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "config/job_config.h"
#include "protocol/worker_stream.h"

namespace rft::jobs {

enum class SwapState { none, pending, taken, refused };

struct ScorerSwaps {
  SwapState state = SwapState::none;
  protocol::ScorerSwap last;                   // the newest; its number is 0 where there was none
  std::string mutation;                        // that asked for it
  int64_t iteration = 0;                       // after which it was taken or refused
  std::string reason;                          // of a refusal
  std::optional<protocol::ScorerSwap> in_use;  // the one that was taken last; none: the plan's own scorer

  bool pending() const { return state == SwapState::pending; }
};

// The scorer that a job is to have.
struct ScorerChoice {
  std::string plugin;           // as [scorer] plugin: a registered name, or a file of the job's folder
  std::filesystem::path file;   // instead of it, absolute
  std::optional<Json> options;  // none: the job's present ones where the name is the same, else none
  std::string settings;         // for config::set_scorer_settings; what they do not say stays as it is
};

// How they are stored.
Json to_json(const ScorerSwaps& swaps);
// Throws Error(invalid_argument) for what this version cannot read.
ScorerSwaps scorer_swaps_from_json(const Json& json);

// The newest as clients see it: {"number", "scorer", "options", "settings", "state", "iteration", "reason"};
// null without.
Json view_of(const ScorerSwaps& swaps);

// The plan in a job's folder, with the scorers that the job has after that swap; without one, as it is.
// Throws like config::parse_plan.
config::JobConfig plan_after(const std::optional<protocol::ScorerSwap>& swap,
                             const std::filesystem::path& folder);

}  // namespace rft::jobs
