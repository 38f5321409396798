// Everything a job says while it runs: its log, metrics and episodes go to files of its folder, its progress
// and events to the daemon (when there is one) or to the terminal. It is the engine's ProgressSink.
//
// metrics.jsonl, rollouts.jsonl and validation.jsonl are part of the job's resumable state: their lengths are
// saved with it and they are cut to them when it is restored. log.txt is not: what an attempt said before it
// died is worth keeping. evaluations.jsonl says of each evaluation where its lines begin in validation.jsonl.
// Of several ranks the first alone says anything. Used from the pipeline's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "engine/progress_sink.h"
#include "engine/ranks.h"
#include "worker/daemon_link.h"

namespace rft::worker {

// Lengths in bytes of the files that the resumable state covers.
struct FileLengths {
  uint64_t metrics = 0;
  uint64_t rollouts = 0;
  uint64_t validation = 0;
  uint64_t evaluations = 0;
};

// Where the run stands, told with each progress message. Iterations and epochs count from 1.
struct RunPosition {
  int64_t iteration = 0;
  int64_t num_iterations = 0;
  int64_t epoch = 0;
  int64_t num_epochs = 0;
};

class Reporter : public engine::ProgressSink {
 public:
  // `link` may be null: then the log goes to stderr as well. `stop_requested` may be set from any thread or a
  // signal handler. All outlive the reporter.
  Reporter(const std::filesystem::path& job_folder, DaemonLink* link, const std::atomic<bool>& stop_requested,
           const engine::Ranks& ranks);

  // Cuts the files to what a restored state covers.
  void restore(const FileLengths& lengths);
  void advance(std::string_view phase, int64_t done, int64_t total, std::string_view unit) override;
  bool stop_requested() const override { return stop_requested_ || ranks_.halted(); }

  void set_position(const RunPosition& position);
  // The number of swaps of the scorer so far: from the first on, every line of the files says it.
  void set_scorer_swaps(int64_t number) { scorer_swaps_ = number; }
  // The scorer that the job's owner wants in place of the present one, if any was named since the last call.
  std::optional<protocol::ScorerSwap> take_scorer_swap();
  const std::string& phase() const { return phase_; }  // the last that was told
  // `level` is info, warning or error.
  void log(const std::string& level, const std::string& message);
  // A named condition that a person should look at; it stays visible in the job's status.
  void warn(const std::string& name, const std::string& message);
  // One line of metrics.jsonl, and a metrics event.
  void metrics(const std::map<std::string, double>& values);
  // The line alone, of an earlier iteration.
  void note_metrics(int64_t iteration, int64_t epoch, const std::map<std::string, double>& values);
  void rollout(const Json& episode);
  // Lines of validation.jsonl, and the line of evaluations.jsonl that leads to the first of them.
  void evaluated(const Json& evaluation, const std::vector<Json>& episodes);
  // A message of the worker stream as it is; nothing where there is no daemon.
  void send(const Json& message);

  // Makes the files durable and answers their lengths.
  FileLengths sync();

 private:
  using Clock = std::chrono::steady_clock;

  struct Files {
    explicit Files(const std::filesystem::path& job_folder);
    AppendFile log, metrics, rollouts, validation, evaluations;
  };

  Json with_scorer_swaps(Json line) const;
  void write_log(const std::string& level, const std::string& message);

  DaemonLink* link_;
  const std::atomic<bool>& stop_requested_;
  const engine::Ranks& ranks_;
  std::optional<Files> files_;  // of the first rank
  RunPosition position_;
  std::string phase_;
  Clock::time_point phase_start_;
  Clock::time_point last_progress_;
  Clock::time_point first_iteration_start_;
  int64_t first_iteration_ = 0;  // of this attempt
  int64_t scorer_swaps_ = 0;
};

}  // namespace rft::worker
