// Watches over a run for the ways in which reinforcement goes wrong while its score still rises: the scorer
// is exploited, or the policy collapses. Each watch tells of its condition once, with the figures, and again
// only after it has passed; what it remembers is part of the job's resumable state. No threads.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "config/job_config.h"

namespace rft::worker {

// What the watches compare with, and what they have told.
struct WatchState {
  double first_length = 0;     // of the first iteration: mean tokens of a completion; 0: none yet
  double first_entropy = 0;    // … and mean entropy in nats
  std::vector<double> kl;      // of the last iterations, oldest first
  double largest_kl_rise = 0;  // over any window before the last one
  double epoch_score = 0;      // sum of the mean scores of the epoch's iterations
  int64_t epoch_iterations = 0;
  int64_t constant_iterations = 0;  // those so far, of one score each; -1 once scores differed
  std::set<std::string> told;       // the watches whose condition holds
};

Json to_json(const WatchState& state);
WatchState watch_state_from_json(const Json& json);  // throws Json::exception for another shape

struct WatchWarning {
  std::string name;     // the key of [watch] that it belongs to
  std::string message;  // what was seen, what was allowed, and what to look at
};

// What to warn of after an iteration, by its metrics.
std::vector<WatchWarning> watch_iteration(const config::WatchConfig& config,
                                          const std::map<std::string, double>& metrics, WatchState& state);

// What to warn of after an epoch's validation, whose mean score is `validation_score`.
std::vector<WatchWarning> watch_epoch(const config::WatchConfig& config, double validation_score,
                                      WatchState& state);

}  // namespace rft::worker
