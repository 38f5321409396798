// Runs attempts: places a worker, knows it again by its token when it connects, hands on what it reports,
// tells it to pause or stop, and says how it ended. It decides nothing about jobs: what follows from an end
// is the caller's. Used on the io_context's thread; every event is called from there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "config/daemon_config.h"
#include "executor/executor.h"
#include "jobs/attempt_end.h"
#include "jobs/job.h"
#include "jobs/queue.h"
#include "jobs/worker_session.h"

namespace rft::jobs {

class Supervisor {
 public:
  struct Events {
    std::function<void(int64_t job, const Json& message)> message;  // progress, metrics, …; not finished
    std::function<void(int64_t job, const AttemptEnd& end)> ended;
    std::function<void(int64_t job)> connected;  // its worker, which hears what it is told from now on
  };

  // Binds `socket` (a stale one is replaced: the caller holds the home's lock).
  Supervisor(boost::asio::io_context& io, executor::Executor& executor, std::filesystem::path socket,
             config::WorkerConfig config, Events events);
  // Abandons the workers that still run.
  ~Supervisor();

  // Throws Error when the worker cannot be started.
  void start(int64_t job, const std::filesystem::path& folder, int64_t attempt, const Allocation& allocation);
  // Says something to its worker, if it is connected.
  void tell(int64_t job, const Json& command);
  // Asks a running attempt to write a resume point and end; kills it when it has not within stop_timeout_s.
  // Its end is reported as stopped.
  void stop(int64_t job, Request request);
  bool runs(int64_t job) const { return attempts_.count(job) != 0; }
  size_t num_running() const { return attempts_.size(); }
  // Lets every worker live on, unwatched, with its socket closed: it writes a resume point and ends.
  void abandon_all();

 private:
  struct Attempt;
  void accept();
  void greet(const std::shared_ptr<WorkerSession>& session, const Json& hello);
  void take_message(int64_t job, const Json& message);
  void session_closed(int64_t job);
  void process_ended(int64_t job, const ExitStatus& status);
  void finish(int64_t job);
  Attempt* find(int64_t job, int64_t number);
  void kill_after(int64_t job, Attempt& attempt, double seconds, const std::string& because);

  boost::asio::io_context& io_;
  executor::Executor& executor_;
  std::filesystem::path socket_;
  config::WorkerConfig config_;
  Events events_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::map<int64_t, std::unique_ptr<Attempt>> attempts_;  // by job
};

}  // namespace rft::jobs
