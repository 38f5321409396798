// The jobs of one home, as the control handlers see them. Behind this facade stand the intake, the store, the
// queue and the supervisor; it holds them together and does nothing itself that they can do.
//
// Threading: every member is called on the io_context's one thread, and every callback runs there. Nothing
// blocks: copying, hashing, data and plugins are looked at on a small thread pool. What is answered at once
// is a return value; what takes effect later calls `Done`, exactly once, after the effect.
//
// A job is named by its id ("17") or by its name. A name means the folder of that name which is still
// settling and, where there is none, the newest job of that name; a mutation wants the id where several
// unfinished jobs have the name.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "config/daemon_config.h"
#include "jobs/job.h"
#include "plugins/registry.h"

namespace rft::jobs {

// A job as a client sees it.
struct JobView {
  int64_t id = 0;  // 0: a folder that is still settling
  std::string name;
  State state = State::settling;
  std::string reason;   // empty for running and succeeded only
  std::string code;     // of a failed job: an ErrorCode's name
  std::string failure;  // of one that a plugin failed: a PluginFailure's name
  int64_t attempt = 0;
  int64_t num_failures = 0;
  int64_t max_attempts = 0;
  int64_t cores = 0;
  int64_t gpus = 0;
  std::string model;
  std::string scorer;
  std::filesystem::path
      folder;              // HOME/jobs/17-fraud; of a rejected job HOME/rejected/fraud; else what was dropped
  std::string created_at;  // UTC, "2026-01-31T09:00:00Z"; "" where it has not happened
  std::string started_at;
  std::string finished_at;
  std::string next_attempt_at;  // of a retrying job
  Json progress;                // the worker's last progress message, or null
  Json metrics;                 // the values of its last metrics message, or null
  Json validation;   // {"base/validation": {...}, "best": {...}}: its last validation message per stage and
                     // split
  Json scorer_swap;  // the last one that was asked for (scorer_swaps.h), or null
  Json result;       // of a succeeded job, as its worker told; else null
  std::vector<std::string> warnings;  // "score_gap: …": a running job's last few, all of a succeeded one
};

// The members by their names; empty times and null values are left out.
Json to_json(const JobView& view);

struct JobFilter {
  std::vector<State> states;  // empty: all
  std::string name;           // empty: all; else a job's whole name
  int64_t limit = 0;          // the newest so many; 0: all
};

// Why a job is where it is: its reason, then what it waits for, or how it came here.
struct Why {
  State state = State::settling;
  std::string reason;
  std::vector<std::string> details;
};

class Jobs {
 public:
  struct Options {
    std::filesystem::path home;
    std::filesystem::path worker_socket;   // as bound: a path of at most 107 bytes
    std::filesystem::path program_folder;  // where rft-worker and rft-plugin-host are
    config::DaemonConfig config;
  };
  // topic ("job.17.status|progress|metrics|validation|checkpoint|log", or "plugins" when they changed) and
  // event. A status event is the job's to_json(JobView); the others are the worker's message less its "type".
  using EventSink = std::function<void(const std::string& topic, const Json& event)>;
  struct Answer {
    std::optional<Error> error;
    JobView job;
  };
  using Done = std::function<void(const Answer&)>;

  // Opens the store and reads what is there; throws Error for state that cannot be read, leaving it
  // untouched.
  Jobs(boost::asio::io_context& io, const Options& options);
  ~Jobs();

  // Before start().
  void set_event_sink(EventSink sink);
  // Recovery, which is the only way to start: every unfinished job continues where it was.
  void start();
  // Takes no more folders, tells the workers to stop, and calls `done` when they have ended or after
  // `timeout_ms`. Jobs that run continue at the next start.
  void stop(int timeout_ms, std::function<void()> done);

  // Each throws Error(not_found). The first two also answer for a folder that is still settling; for the
  // others it is an Error(conflict).
  JobView get(const std::string& job) const;
  Why why(const std::string& job) const;
  // HOME/jobs/17-fraud, of a job whose folder is there; Error(conflict) before that, and for a rejected job.
  std::filesystem::path folder(const std::string& job) const;
  // The text of the job's plan.toml: every value resolved. Throws Error(conflict) before it has been made.
  std::string plan(const std::string& job) const;
  // What it is estimated to hold in memory, as memory.json has it; null where there is none.
  Json memory(const std::string& job) const;
  // The plugins that jobs can name, as they are now.
  std::vector<plugins::PluginRow> plugins() const;
  // Newest first; settling folders before all.
  std::vector<JobView> list(const JobFilter& filter) const;

  // The mutations. `mutation_id` (empty: none) is remembered with the change, across restarts too: the same
  // id again changes nothing more and is answered like the first time. An Answer holds either an error or the
  // job as it is after the effect.
  //
  // Takes a copy of a folder of this machine, which is left as it is. Answered when the job is kept: it has
  // its id and its copy is durable; what is wrong inside is found after that (state checking, then rejected).
  void submit(const std::filesystem::path& folder, const std::string& mutation_id, const Done& done);
  // Answered when the worker has written its resume point and ended. A queued job is held.
  void pause(const std::string& job, const std::string& mutation_id, const Done& done);
  // A paused job is queued again.
  void resume(const std::string& job, const std::string& mutation_id, const Done& done);
  // Answered when the worker has ended. The job's files stay.
  void cancel(const std::string& job, const std::string& mutation_id, const Done& done);
  // A failed or cancelled job is queued again, from its last resume point, with all its attempts; a retrying
  // one starts without its delay.
  void retry(const std::string& job, const std::string& mutation_id, const Done& done);
  // Another scorer in the place of the job's own, between two of its iterations. Answered when the worker has
  // taken it; with Error(plugin) and the reason when it has refused it. Of a job that is not running it is
  // kept, and answered at once: the next attempt takes it, or pauses the job.
  void swap_scorer(const std::string& job, const ScorerChoice& choice, const std::string& mutation_id,
                   const Done& done);
  // Changes nothing: answered once the job is finished (or at once if it is).
  void wait(const std::string& job, const Done& done);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace rft::jobs
