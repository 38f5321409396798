// What rft-worker and rftd say to each other over run/worker.sock: a Unix stream of JSON objects, one a
// line, each with a "type". The worker's first line is its hello; the daemon answers "welcome", or "refused"
// and closes. After that the worker reports and the daemon may command.
//
//   worker → rftd   hello  progress  metrics  validation  checkpoint  resume_point  log  warning  scorer_swap
//                   finished
//   rftd → worker   welcome  refused  pause  stop  swap_scorer
//
// docs/protocol.md lists the members of each. Only the messages that decide something are structures here;
// the others pass through rftd to its subscribers as they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace rft::protocol {

constexpr int kWorkerStreamVersion = 1;
constexpr size_t kMaxWorkerLine = 1 << 20;  // bytes

struct WorkerHello {
  int64_t job = 0;
  int64_t attempt = 0;
  std::string token;  // proves that this worker is the one the daemon started
  int64_t pid = 0;
};

enum class WorkerOutcome { succeeded, stopped, paused, failed };

struct WorkerFinished {
  WorkerOutcome outcome = WorkerOutcome::failed;
  ErrorCode error_code = ErrorCode::internal;  // this and the next two only where it failed
  std::string error_message;
  bool transient = false;  // worth another attempt
  Json result = Json::object();
  std::string pause_reason;  // only where it paused by itself: why its owner should look
  std::string failure;       // only where a plugin failed it: how, by the name of the PluginFailure
  std::string sub_scorer;    // of a plugin's failure: which one, where the job has several scorers
};

// The scorer that is to take the place of a job's present one, between two of its iterations. A worker may be
// told of one that it has taken already, and then says so again.
struct ScorerSwap {
  int64_t number = 0;  // counts the job's swaps from 1
  std::string plugin;  // as [scorer] plugin
  Json options = Json::object();
  Json scorers = Json::object();  // as admitted and pinned: [resolved] scorers of a plan
  bool pause_if_refused = false;  // nobody waits for the answer: the job is not to go on without its owner
  std::string settings = {};      // all that config::scorer_settings says of it; empty: the plan's
};

struct ScorerSwapOutcome {
  ScorerSwap swap;
  bool taken = false;               // a resume point holds it
  int64_t iteration = 0;            // after which it was taken or refused
  std::string reason;               // of a refusal; the scorer before it stays
  std::string failure, sub_scorer;  // of a refusal because a plugin failed: as in WorkerFinished
};

// The scorer's name and the options that it is to have, as people are told of it: strict.py {"bonus":2}
std::string title_of(const ScorerSwap& swap);

Json to_json(const WorkerHello& hello);
Json to_json(const WorkerFinished& finished);
Json to_json(const ScorerSwap& swap);
Json to_json(const ScorerSwapOutcome& outcome);
// Each throws Error(invalid_argument) for a message of another type, version or shape.
WorkerHello hello_from_json(const Json& message);
WorkerFinished finished_from_json(const Json& message);
ScorerSwap scorer_swap_from_json(const Json& message);
ScorerSwapOutcome scorer_swap_outcome_from_json(const Json& message);

// Cuts a byte stream into lines. Throws Error(invalid_argument) once a line grows beyond kMaxWorkerLine.
class LineSplitter {
 public:
  // Answers the lines, newline taken off, that `bytes` completed.
  std::vector<std::string> feed(std::string_view bytes);

 private:
  std::string partial_;
};

}  // namespace rft::protocol
