#include "worker/attempt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/machine_memory.h"
#include "config/job_config.h"
#include "engine/failed_allocation.h"
#include "engine/runtime.h"
#include "plugins/host_options.h"
#include "plugins/plugin_error.h"
#include "worker/daemon_link.h"
#include "worker/memory.h"
#include "worker/pipeline.h"
#include "worker/reporter.h"
#include "worker/run.h"
#include "worker/siblings.h"

namespace rft::worker {
namespace {

using protocol::WorkerFinished;
using protocol::WorkerOutcome;

std::atomic<bool> stop_requested = false;

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = true; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

std::unique_ptr<DaemonLink> link_to_daemon(const AttemptOptions& options, const JobFolder& folder) {
  if (options.socket.empty()) return nullptr;
  const char* token = std::getenv("RFTD_WORKER_TOKEN");
  const protocol::WorkerHello hello{.job = config::parse_plan(folder.plan()).resolved.job_id,
                                    .attempt = options.attempt,
                                    .token = token != nullptr ? token : "",
                                    .pid = ::getpid()};
  return std::make_unique<DaemonLink>(options.socket, hello, [] { stop_requested = true; });
}

// Another attempt helps where the cause was the machine's, not the job's.
bool is_transient(ErrorCode code) {
  return code == ErrorCode::io || code == ErrorCode::resource || code == ErrorCode::unavailable;
}

WorkerFinished failed(ErrorCode code, const std::string& message) {
  return {.outcome = WorkerOutcome::failed,
          .error_code = code,
          .error_message = message,
          .transient = is_transient(code)};
}

// Throws RankLost alone: what became of that rank is for its parent to say.
WorkerFinished run_to_end(const AttemptOptions& options, const JobFolder& folder, Reporter& reporter,
                          engine::Ranks& ranks) {
  try {
    engine::set_num_threads(threads_per_rank(options.threads, ranks.size()));
    engine::reuse_freed_memory();
    // Where the kernel would kill, an allocation fails instead, and the job can say which.
    if (options.device == "cpu") limit_memory(memory_limit(config::parse_plan(folder.plan())) / ranks.size());
    Run run(folder, {.host_program = plugins::host_program_beside_executable(), .device = options.device},
            reporter, ranks);
    WorkerFinished finished = run_pipeline(run);
    reporter.log("info", memory_report(run.memory));
    return finished;
  } catch (const engine::Interrupted&) {
    reporter.log("info", "stopped; a resume point is written");
    return {.outcome = WorkerOutcome::stopped};
  } catch (const engine::RankLost&) {
    throw;
  } catch (const TooLarge& error) {
    return {.error_code = error.code(), .error_message = error.what()};
  } catch (const plugins::PluginError& error) {
    WorkerFinished finished = failed(error.code(), error.what());
    finished.failure = to_string(error.kind());
    finished.sub_scorer = error.sub_scorer();
    return finished;
  } catch (const Error& error) {
    return failed(error.code(), error.what());
  } catch (const std::exception& error) {
    if (const auto failure = engine::failed_allocation(error))
      return out_of_memory(folder, reporter.phase(), failure->bytes);
    return failed(ErrorCode::internal, error.what());
  }
}

int64_t num_ranks_of(const JobFolder& folder) { return config::parse_plan(folder.plan()).resources.ranks; }

int run_first_rank(const AttemptOptions& options, const JobFolder& folder) {
  UniqueFd lock = try_lock_file(folder.lock());
  if (!lock) {
    std::cerr << "rft-worker: another attempt of this job is alive: " << folder.lock().string()
              << " is locked\n";
    return kExitOtherAttempt;
  }
  // Held until the process is gone: what runs after main's end belongs to the attempt too.
  const int held = lock.release();
  const std::unique_ptr<DaemonLink> link = link_to_daemon(options, folder);
  Siblings siblings(options, num_ranks_of(folder), held);
  Reporter reporter(folder.root, link.get(), stop_requested, siblings.ranks());
  WorkerFinished finished;
  try {
    finished = run_to_end(options, folder, reporter, siblings.ranks());
  } catch (const engine::RankLost& lost) {
    finished = failed(lost.code(), siblings.end_of(lost.rank()));
  }
  if (finished.outcome == WorkerOutcome::failed)
    reporter.log("error", finished.error_message);
  else
    siblings.wait();
  reporter.send(to_json(finished));
  return finished.outcome == WorkerOutcome::failed ? kExitFailed : kExitDone;
}

// Whatever there is to say, the first rank says.
int run_other_rank(const AttemptOptions& options, const JobFolder& folder) {
  engine::Ranks ranks = join_ranks(options.rank, num_ranks_of(folder));
  Reporter reporter(folder.root, nullptr, stop_requested, ranks);
  const WorkerFinished finished = run_to_end(options, folder, reporter, ranks);
  if (finished.outcome != WorkerOutcome::failed) return kExitDone;
  ranks.fail(finished.error_code, finished.error_message);
  return kExitFailed;
}

}  // namespace

int run_attempt(const AttemptOptions& options) {
  try {
    stop_on_signals();
    const JobFolder folder{options.job_folder};
    return options.rank > 0 ? run_other_rank(options, folder) : run_first_rank(options, folder);
  } catch (const std::exception& error) {
    std::cerr << "rft-worker: " << error.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace rft::worker
