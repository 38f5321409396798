// What a job remembers beside the trainer's tensors, and the resume points that hold both.
//
// A resume point is a folder resume/point-000007/ with state.json and the trainer's files, written whole
// (temporary name, synced, renamed). The last two are kept: should the newest be unreadable, the one before
// it is used, and the unreadable one stays beside it as damaged-point-000007. Restoring one cuts the
// append-only files to the lengths in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "protocol/worker_stream.h"
#include "worker/reporter.h"
#include "worker/watch.h"

namespace rft::worker {

struct CheckpointEntry {
  int64_t iteration = 0;
  double value = 0;  // of the validation metric
};

struct RunState {
  int64_t warmup_step = 0;        // supervised steps done
  bool reference_frozen = false;  // the warm-up is over, PPO has begun
  int64_t iteration = 0;          // PPO iterations done
  int64_t epoch_validated = 0;    // epochs done, their validation included
  bool stopped_early = false;
  int64_t epochs_without_gain = 0;
  std::vector<CheckpointEntry> checkpoints;  // those kept, best first
  // Figures found so far: results["validation"]["base" | "warmup" | "best"], results["test"]["base" | …].
  Json results = Json::object();
  std::optional<protocol::ScorerSwap> scorer;  // the one that took the place of the plan's
  WatchState watch;
  FileLengths lengths;

  const CheckpointEntry& best() const { return checkpoints.front(); }  // once PPO has begun
  int64_t scorer_swaps() const { return scorer ? scorer->number : 0; }
  bool has_result(const std::string& split, const std::string& stage) const;
};

Json to_json(const RunState& state);
// Throws Error(invalid_argument) for a state of another version or shape.
RunState run_state_from_json(const Json& json);

struct Restored {
  RunState state;                    // as at the start of a job when there was no point
  std::filesystem::path point;       // that was taken; empty when there was none
  std::vector<std::string> damaged;  // why newer points were passed over
};

class ResumePoints {
 public:
  explicit ResumePoints(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Writes the next point; `save_tensors` fills the folder it is given.
  void write(const RunState& state, const std::function<void(const std::filesystem::path&)>& save_tensors);

  // The newest point whose state can be read and that `load_tensors` accepts. Throws Error(invalid_argument)
  // when there are points but none can be read: a job never starts over silently.
  Restored restore(const std::function<void(const std::filesystem::path&)>& load_tensors);

 private:
  std::vector<std::filesystem::path> newest_first() const;

  std::filesystem::path folder_;
};

}  // namespace rft::worker
