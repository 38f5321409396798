#include "worker/run_state.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

constexpr int kStateVersion = 1;
constexpr size_t kPointsKept = 2;
constexpr std::string_view kPointPrefix = "point-";

std::string point_name(int64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "point-%06lld", static_cast<long long>(number));
  return name;
}

int64_t point_number(const fs::path& point) {
  return std::stoll(point.filename().string().substr(kPointPrefix.size()));
}

}  // namespace

bool RunState::has_result(const std::string& split, const std::string& stage) const {
  return results.contains(split) && results.at(split).contains(stage);
}

Json to_json(const RunState& state) {
  Json checkpoints = Json::array();
  for (const CheckpointEntry& entry : state.checkpoints)
    checkpoints.push_back({{"iteration", entry.iteration}, {"value", entry.value}});
  return {{"v", kStateVersion},
          {"warmup_step", state.warmup_step},
          {"reference_frozen", state.reference_frozen},
          {"iteration", state.iteration},
          {"epoch_validated", state.epoch_validated},
          {"stopped_early", state.stopped_early},
          {"epochs_without_gain", state.epochs_without_gain},
          {"checkpoints", checkpoints},
          {"results", state.results},
          {"scorer", state.scorer ? protocol::to_json(*state.scorer) : Json()},
          {"watch", to_json(state.watch)},
          {"lengths",
           {{"metrics", state.lengths.metrics},
            {"rollouts", state.lengths.rollouts},
            {"validation", state.lengths.validation},
            {"evaluations", state.lengths.evaluations}}}};
}

RunState run_state_from_json(const Json& json) {
  try {
    if (json.at("v") != kStateVersion)
      throw Error(ErrorCode::unsupported, "state version " + dump_json(json.at("v")) + " is not known here");
    RunState state;
    state.warmup_step = json.at("warmup_step");
    state.reference_frozen = json.at("reference_frozen");
    state.iteration = json.at("iteration");
    state.epoch_validated = json.at("epoch_validated");
    state.stopped_early = json.at("stopped_early");
    state.epochs_without_gain = json.at("epochs_without_gain");
    for (const Json& entry : json.at("checkpoints"))
      state.checkpoints.push_back({entry.at("iteration"), entry.at("value")});
    state.results = json.at("results");
    // States from before there were watches do not have it.
    if (json.contains("watch")) state.watch = watch_state_from_json(json.at("watch"));
    // … nor those from before a scorer could be swapped what follows.
    if (const Json scorer = json.value("scorer", Json()); !scorer.is_null())
      state.scorer = protocol::scorer_swap_from_json(scorer);
    const Json& lengths = json.at("lengths");
    state.lengths = {lengths.at("metrics"), lengths.at("rollouts"), lengths.at("validation"),
                     lengths.value("evaluations", uint64_t{0})};
    return state;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("not a state: ") + error.what());
  }
}

void ResumePoints::write(const RunState& state, const std::function<void(const fs::path&)>& save_tensors) {
  fs::create_directories(folder_);
  const fs::path temporary = folder_ / ".tmp";
  fs::remove_all(temporary);
  fs::create_directory(temporary);
  save_tensors(temporary);
  write_file_atomically(temporary / "state.json", dump_json(to_json(state), 2));
  const auto points = newest_first();
  publish_folder(temporary, folder_ / point_name(points.empty() ? 1 : point_number(points.front()) + 1));
  for (size_t i = kPointsKept - 1; i < points.size(); ++i) fs::remove_all(points[i]);
}

Restored ResumePoints::restore(const std::function<void(const fs::path&)>& load_tensors) {
  Restored restored;
  const auto points = newest_first();
  for (const fs::path& point : points) {
    try {
      restored.state = run_state_from_json(parse_json(read_file(point / "state.json"), "state.json"));
      load_tensors(point);
      restored.point = point;
    } catch (const std::exception& error) {
      restored.damaged.push_back(point.string() + " cannot be restored: " + error.what());
      continue;
    }
    for (size_t i = 0; i < restored.damaged.size(); ++i)
      fs::rename(points[i], folder_ / ("damaged-" + points[i].filename().string()));
    return restored;
  }
  if (!points.empty())
    throw Error(
        ErrorCode::invalid_argument,
        "no resume point can be read, and the job is not started over unasked: " + restored.damaged.front() +
            "; move " + folder_.string() + " away to start from the beginning");
  return restored;
}

std::vector<fs::path> ResumePoints::newest_first() const {
  std::vector<fs::path> points;
  if (!fs::exists(folder_)) return points;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().filename().string().starts_with(kPointPrefix)) points.push_back(entry.path());
  std::sort(points.rbegin(), points.rend());
  return points;
}

}  // namespace rft::worker
