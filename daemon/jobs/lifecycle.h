// A job's way, from an arrived folder to its end: each step follows from the end of the one before, and every
// step can be taken again after a crash. The start of the daemon is one such crash like any other: `start`
// looks at each unfinished job and takes it up where it was.
//
//   arrived → take (pool) → admit (pool) → queued → verify (pool) → running → ended → succeeded, failed, …
//
// Used on the io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "config/daemon_config.h"
#include "executor/executor.h"
#include "jobs/admission.h"
#include "jobs/home.h"
#include "jobs/intake.h"
#include "jobs/ledger.h"
#include "jobs/plugin_watch.h"
#include "jobs/queue.h"
#include "jobs/supervisor.h"
#include "jobs/taking.h"
#include "plugins/quarantine.h"

namespace rft::jobs {

class Lifecycle {
 public:
  struct Options {
    Home home;
    std::filesystem::path worker_socket;
    config::DaemonConfig config;
    int64_t cores = 1;              // that jobs may take together
    std::vector<std::string> gpus;  // by UUID
    int64_t memory = 0;             // bytes, that jobs may take together
  };

  Lifecycle(boost::asio::io_context& io, Options options, Ledger& ledger, PluginWatch& plugins,
            Admission& admission, executor::Executor& executor);
  // Waits for what the pool is at.
  ~Lifecycle();

  void start();
  void stop(int timeout_ms, std::function<void()> done);

  // Makes a job of a folder, its row first. Throws Error. The job is on its way when this returns.
  int64_t submit(const Arrival& folder, const std::string& mutation_id);
  // Each has been checked against the job's state, and changes the row, with the mutation's id, before it
  // acts.
  void pause(int64_t id, const std::string& mutation_id);
  void cancel(int64_t id, const std::string& mutation_id);
  void queue_again(int64_t id, const std::string& mutation_id, bool with_all_attempts);
  // The same once the scorer has been looked at, or `then` is told what is wrong with it.
  void swap_scorer(int64_t id, const ScorerChoice& choice, const std::string& mutation_id,
                   std::function<void(const std::optional<Error>&)> then);

  std::vector<SettlingFolder> settling() const { return intake_.settling(); }
  std::optional<SettlingFolder> settling(const std::string& name) const { return intake_.settling(name); }
  const Queue& queue() const { return queue_; }
  bool waits_for_survivors() const { return num_fences_ > 0; }

 private:
  // Runs `work` on the pool, then `then` with its result, or an Error, on the io_context.
  template <class Work, class Then>
  void offload(Work work, Then then);
  // Calls `step` after a delay, unless the job has gone another way by then.
  void later(int64_t id, double delay_s, std::function<void()> step);

  void arrived(const std::vector<Arrival>& arrivals);
  void take(int64_t id);
  void taken(int64_t id, TakeOutcome outcome);
  void admit(int64_t id);
  void wait_for_plugin(int64_t id, const std::string& name);
  void admitted(int64_t id, const Admitted& result);
  void reject(int64_t id, const std::string& reason);
  void hold(int64_t id, const std::string& reason, void (Lifecycle::*step)(int64_t));
  void take_or_admit_failed(int64_t id, const Error& error, void (Lifecycle::*step)(int64_t));

  Waiting needs_of(const Job& job) const;
  void enqueue(int64_t id);
  void enqueue_and_pump(int64_t id);
  void pump();
  void begin_attempt(int64_t id, const Allocation& allocation);
  void place_attempt(int64_t id, const Allocation& allocation);
  void wait_for_survivor(int64_t id);
  void survivor_gone(int64_t id);
  void wait_for_retry(int64_t id);

  void message(int64_t id, const Json& message);
  void worker_connected(int64_t id);
  void keep_swap(LiveJob& live, protocol::ScorerSwap swap, const std::string& mutation_id,
                 const std::function<void(const std::optional<Error>&)>& then);
  void scorer_decided(int64_t id, const protocol::ScorerSwapOutcome& outcome);
  void attempt_ended(int64_t id, const AttemptEnd& end);
  void attempt_stopped(int64_t id, Request request);
  // Which of the job's scorers after `swap` failed, and how.
  void quarantine_scorer(const Job& job, const std::optional<protocol::ScorerSwap>& swap,
                         const std::string& sub_scorer, plugins::QuarantineReport report) const;
  void attempt_failed(int64_t id, const AttemptEnd& end);

  void recover(const Job& job);
  void finish_rejections();

  boost::asio::io_context& io_;
  Options options_;
  Ledger& ledger_;
  PluginWatch& plugins_;
  Admission& admission_;
  boost::asio::thread_pool pool_;
  Queue queue_;
  Supervisor supervisor_;
  Intake intake_;
  boost::asio::steady_timer stop_timer_;
  int64_t num_fences_ = 0;
  std::set<std::filesystem::path> rejecting_;  // folders under rejected/ that are being made
  std::function<void()> stopped_;              // set while stopping
  std::shared_ptr<Lifecycle*> self_;
};

template <class Work, class Then>
void Lifecycle::offload(Work work, Then then) {
  boost::asio::post(pool_, [&io = io_, self = self_, work = std::move(work), then = std::move(then)] {
    using Result = decltype(work());
    std::optional<Result> result;
    std::optional<Error> error;
    try {
      result = work();
    } catch (const Error& caught) {
      error = caught;
    } catch (const std::exception& caught) {
      error = Error(ErrorCode::io, caught.what());
    }
    boost::asio::post(io, [self, then, result = std::move(result), error] {
      if (*self != nullptr) then(result, error);
    });
  });
}

}  // namespace rft::jobs
