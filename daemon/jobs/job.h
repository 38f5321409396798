// What a job is between its admission and its end: an id, where it came from, and a status. The status is a
// sum type whose alternatives carry only their own data, and every one but Running and Succeeded carries a
// reason that a person can act on. `can_follow` is the whole table of legal transitions; the store refuses
// any other. Plain values, no threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "jobs/scorer_swaps.h"

namespace rft::jobs {

using SystemTime = std::chrono::system_clock::time_point;

enum class State {
  settling,  // a folder in incoming/ that may still be written to; it has no id yet
  checking,  // taken: copied, then its configuration, data, scorer and model are looked at
  queued,    // waits for cores or GPUs
  running,
  paused,
  retrying,  // an attempt failed for a cause that may pass; the next one starts after a delay
  succeeded,
  failed,
  cancelled,
  rejected,  // never became a job: its folder is under rejected/
};

std::string_view to_string(State state);
std::optional<State> state_from_string(std::string_view name);
// Succeeded, failed, cancelled and rejected jobs do nothing more by themselves.
bool is_finished(State state);
bool can_follow(State from, State to);

// What a running attempt has been asked to do, once it has written its resume point.
enum class Request { none, pause, cancel };

struct Settling {
  std::string reason;
};
struct Checking {
  std::string reason;
  bool copied = false;  // jobs/17-fraud/input/ is there: the job is kept whatever becomes of its source
};
struct Queued {
  std::string reason;
};
struct Running {
  Request request = Request::none;
};
struct Paused {
  std::string reason;
};
struct Retrying {
  std::string reason;     // the cause of the last attempt's end
  SystemTime not_before;  // of the next attempt
};
struct Succeeded {
  Json result;  // of the worker's last message: validation, test, model
};
struct Failed {
  std::string reason;
  std::string code;     // an ErrorCode's name
  std::string failure;  // where it is a plugin's: a PluginFailure's name; else empty
};
struct Cancelled {
  std::string reason;
};
struct Rejected {
  std::string reason;
  std::filesystem::path folder;  // where the dropped folder is now
};

using Status = std::variant<Settling, Checking, Queued, Running, Paused, Retrying, Succeeded, Failed,
                            Cancelled, Rejected>;

State state_of(const Status& status);
// Empty for Running and Succeeded only.
std::string reason_of(const Status& status);

// How a status is stored: the state's name and its alternative's members.
Json to_json(const Status& status);
// Throws Error(invalid_argument) for what this version cannot read.
Status status_from_json(const Json& json);

// A folder's identity, by which one that could not be removed is known to be taken already.
struct FolderIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t changed_ns = 0;  // ctime
  bool operator==(const FolderIdentity&) const = default;
};

// One row of the store.
struct Job {
  int64_t id = 0;
  std::string name;
  Status status = Checking{};
  int64_t owner = 0;         // uid that owned the dropped folder: the queue is fair between these
  int64_t attempt = 0;       // number of the last attempt; it rises with every start of a worker
  int64_t num_failures = 0;  // attempts that failed, of max_attempts
  int64_t max_attempts = 0;
  int64_t cores = 0;  // as asked for; 0: all
  int64_t gpus = 0;
  std::string model;  // as the owner wrote it
  std::string scorer;
  std::filesystem::path source;  // where the folder was dropped or submitted from
  bool keep_source = false;      // submitted: the source is the user's own
  FolderIdentity identity;       // of the source
  std::string manifest_digest;   // SHA-256 of the manifest of what was admitted
  Json validation;  // the last validation message of each stage and split: {"base/validation": {...}}
  ScorerSwaps swaps;
  SystemTime created_at;
  SystemTime started_at;   // of the first attempt; the epoch: never
  SystemTime finished_at;  // the epoch: not yet

  // Its name under HOME/jobs, such as "17-fraud", after the folder that was dropped.
  std::string folder_name() const;
};

// A name as a part of a path of our own: letters, digits, '.', '_' and '-', at most 64, no '.' in front.
std::string safe_name(const std::string& name);

// "2026-01-31T09:00:00Z", or "" for the epoch.
std::string time_text(SystemTime time);

}  // namespace rft::jobs
