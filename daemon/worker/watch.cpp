#include "worker/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rft::worker {
namespace {

// Iterations over which a rise of the KL is measured, and the rise in nats per token that is always allowed.
constexpr size_t kKlWindow = 4;
constexpr double kKlRise = 0.01;
// A deviation of scores below this is none: it comes of rounding.
constexpr double kNoDeviation = 1e-6;

class Watch {
 public:
  explicit Watch(WatchState& state) : state_(state) {}

  // A condition that holds is told of once; when it has passed it may be told of again.
  void tell(const char* name, bool holds, const std::string& message) {
    if (!holds)
      state_.told.erase(name);
    else if (state_.told.insert(name).second)
      warnings_.push_back({name, message});
  }
  std::vector<WatchWarning> take() { return std::move(warnings_); }

 private:
  WatchState& state_;
  std::vector<WatchWarning> warnings_;
};

void watch_kl(double allowed, WatchState& state, Watch& watch) {
  if (allowed == 0 || state.kl.size() < 2 * kKlWindow + 1) return;
  const double start = state.kl.front(), middle = state.kl[kKlWindow], end = state.kl.back();
  // The fastest so far: a KL that comes in leaps rises faster than just before at every leap.
  state.largest_kl_rise = std::max(state.largest_kl_rise, middle - start);
  const double now = end - middle;
  watch.tell("kl_acceleration", now > allowed * std::max(state.largest_kl_rise, kKlRise),
             fmt::format("the KL to the reference rose by {:.4f} nats per token in {} iterations, to {:.4f}; "
                         "in as many before by {:.4f} at most. The policy runs away: raise kl_coef or set "
                         "adaptive_kl_target in [ppo], or lower the learning rate",
                         now, kKlWindow, end, state.largest_kl_rise));
}

void watch_for_constant_scores(int64_t allowed, const std::map<std::string, double>& metrics,
                               WatchState& state, Watch& watch) {
  if (metrics.at("rollout/score_std") > kNoDeviation)
    state.constant_iterations = -1;
  else if (state.constant_iterations >= 0)
    ++state.constant_iterations;
  watch.tell(
      "constant_score", allowed > 0 && state.constant_iterations >= allowed,
      fmt::format("all episodes score {:.4f}: nothing can be learned from a constant. Read in rollouts.jsonl "
                  "what the policy writes; one that knows nothing of the task needs a [warmup]",
                  metrics.at("rollout/score_mean")));
}

}  // namespace

Json to_json(const WatchState& state) {
  return {{"first_length", state.first_length},
          {"first_entropy", state.first_entropy},
          {"kl", state.kl},
          {"largest_kl_rise", state.largest_kl_rise},
          {"epoch_score", state.epoch_score},
          {"epoch_iterations", state.epoch_iterations},
          {"constant_iterations", state.constant_iterations},
          {"told", state.told}};
}

WatchState watch_state_from_json(const Json& json) {
  return {.first_length = json.at("first_length"),
          .first_entropy = json.at("first_entropy"),
          .kl = json.at("kl").get<std::vector<double>>(),
          .largest_kl_rise = json.value("largest_kl_rise", 0.0),
          .epoch_score = json.at("epoch_score"),
          .epoch_iterations = json.at("epoch_iterations"),
          .constant_iterations = json.value("constant_iterations", int64_t{-1}),
          .told = json.at("told").get<std::set<std::string>>()};
}

std::vector<WatchWarning> watch_iteration(const config::WatchConfig& config,
                                          const std::map<std::string, double>& metrics, WatchState& state) {
  const double length = metrics.at("rollout/completion_length"), entropy = metrics.at("policy/entropy"),
               identical = metrics.at("rollout/identical_share");
  if (state.first_length == 0) {
    state.first_length = length;
    state.first_entropy = entropy;
  }
  state.kl.push_back(metrics.at("objective/kl_to_reference_k3"));
  if (state.kl.size() > 2 * kKlWindow + 1) state.kl.erase(state.kl.begin());
  state.epoch_score += metrics.at("rollout/score_mean");
  ++state.epoch_iterations;

  Watch watch(state);
  watch.tell("length_growth", config.length_growth > 0 && length >= config.length_growth * state.first_length,
             fmt::format("completions have {:.1f} tokens on average, {:.1f} times the {:.1f} of the first "
                         "iteration: the scorer may pay for length. Read the longest in rollouts.jsonl",
                         length, length / state.first_length, state.first_length));
  watch.tell(
      "entropy_drop", config.entropy_drop > 0 && entropy < config.entropy_drop * state.first_entropy,
      fmt::format("the policy's entropy is {:.4f} nats per token, {:.1f} % of the {:.4f} of the first "
                  "iteration: it hardly explores any more. Unless the task is learned, raise kl_coef or "
                  "entropy_coef in [ppo], or lower the learning rate",
                  entropy, 100 * entropy / state.first_entropy, state.first_entropy));
  watch.tell("identical_share", config.identical_share > 0 && identical > config.identical_share,
             fmt::format("{:.1f} % of the iteration's completions are one and the same text, whatever the "
                         "prompt (allowed {:.1f} %): see which in rollouts.jsonl",
                         100 * identical, 100 * config.identical_share));
  const double gap = metrics.at("policy/rollout_gap");
  watch.tell(
      "rollout_gap", config.rollout_gap > 0 && gap > config.rollout_gap,
      fmt::format("sampler and trainer differ by {:.4f} on average in the probability of a sampled token "
                  "(allowed {:.4f}): the update learns from another policy than was sampled. Set dtype = "
                  "\"float32\" in [model], or importance_cap in [ppo]",
                  gap, config.rollout_gap));
  watch_kl(config.kl_acceleration, state, watch);
  watch_for_constant_scores(config.constant_score, metrics, state, watch);
  return watch.take();
}

std::vector<WatchWarning> watch_epoch(const config::WatchConfig& config, double validation_score,
                                      WatchState& state) {
  Watch watch(state);
  if (state.epoch_iterations > 0 && config.score_gap > 0) {
    const double training = state.epoch_score / static_cast<double>(state.epoch_iterations);
    watch.tell("score_gap", training - validation_score > config.score_gap,
               fmt::format("the mean score of the epoch's rollouts is {:.4f}, {:.4f} above the validation's "
                           "{:.4f} (allowed {:.4f}): what was learned does not carry over. Compare "
                           "rollouts.jsonl with validation.jsonl",
                           training, training - validation_score, validation_score, config.score_gap));
  }
  state.epoch_score = 0;
  state.epoch_iterations = 0;
  return watch.take();
}

}  // namespace rft::worker
