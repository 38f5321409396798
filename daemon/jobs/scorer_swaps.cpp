#include "jobs/scorer_swaps.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace rft::jobs {
namespace {

constexpr std::array<std::string_view, 4> kSwapStates = {"none", "pending", "taken", "refused"};

std::string_view to_string(SwapState state) { return kSwapStates[static_cast<size_t>(state)]; }

SwapState swap_state_from_string(std::string_view name) {
  for (size_t i = 0; i < kSwapStates.size(); ++i)
    if (kSwapStates[i] == name) return static_cast<SwapState>(i);
  throw Error(ErrorCode::invalid_argument, "a swap's state is " + std::string(name));
}

}  // namespace

Json to_json(const ScorerSwaps& swaps) {
  if (swaps.state == SwapState::none) return nullptr;
  return {{"state", to_string(swaps.state)},
          {"last", protocol::to_json(swaps.last)},
          {"mutation", swaps.mutation},
          {"iteration", swaps.iteration},
          {"reason", swaps.reason},
          {"in_use", swaps.in_use ? protocol::to_json(*swaps.in_use) : Json()}};
}

ScorerSwaps scorer_swaps_from_json(const Json& json) {
  if (json.is_null()) return {};
  try {
    ScorerSwaps swaps;
    swaps.state = swap_state_from_string(json.at("state").get<std::string>());
    swaps.last = protocol::scorer_swap_from_json(json.at("last"));
    swaps.mutation = json.at("mutation");
    swaps.iteration = json.at("iteration");
    swaps.reason = json.at("reason");
    if (!json.at("in_use").is_null()) swaps.in_use = protocol::scorer_swap_from_json(json.at("in_use"));
    return swaps;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("a job's swap cannot be read: ") + error.what());
  }
}

Json view_of(const ScorerSwaps& swaps) {
  if (swaps.state == SwapState::none) return nullptr;
  Json view = {{"number", swaps.last.number},
               {"scorer", swaps.last.plugin},
               {"options", swaps.last.options},
               {"settings", swaps.last.settings},
               {"state", to_string(swaps.state)}};
  if (swaps.pending()) return view;
  view["iteration"] = swaps.iteration;
  if (!swaps.reason.empty()) view["reason"] = swaps.reason;
  return view;
}

config::JobConfig plan_after(const std::optional<protocol::ScorerSwap>& swap,
                             const std::filesystem::path& folder) {
  config::JobConfig plan = config::parse_plan(folder / "plan.toml");
  if (swap) config::set_scorer(plan, swap->plugin, swap->options, swap->scorers, swap->settings);
  return plan;
}

}  // namespace rft::jobs
