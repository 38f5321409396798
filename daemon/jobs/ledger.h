// The jobs that are not finished, in memory, each change of which goes to the store first, then to the event
// sink and to whoever waits for it. Finished jobs are read from the store when somebody asks.
//
// When the disk refuses a change that cannot be undone (a worker has ended), the job is kept in memory as it
// is and written again every few seconds; a change that somebody asked for is refused instead. Used on the
// io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/fence.h"
#include "jobs/home.h"
#include "jobs/job.h"
#include "jobs/jobs.h"
#include "jobs/store.h"

namespace rft::jobs {

// A job that is not finished.
struct LiveJob {
  LiveJob(boost::asio::io_context& io, Job row) : job(std::move(row)), timer(io) {}

  Job job;
  std::string note;  // what the daemon does for it now; shown instead of the stored reason
  Json progress;
  Json metrics;
  int64_t resume_iteration = 0;       // of its last resume point, since the daemon started
  std::vector<std::string> warnings;  // the worker's last few
  int64_t turn = 0;  // counts its steps: what an earlier one left on its way is not for it any more
  boost::asio::steady_timer timer;  // of its next attempt, or of the next try of what failed
  std::unique_ptr<Fence> fence;     // a worker of an earlier daemon that may still live
};

class Ledger {
 public:
  using Condition = std::function<bool(const Job&)>;

  // Throws Error for a database that cannot be read.
  Ledger(boost::asio::io_context& io, Home home);

  void set_event_sink(Jobs::EventSink sink) { sink_ = std::move(sink); }
  Store& store() { return store_; }
  const Store& store() const { return store_; }
  LiveJob* find(int64_t id);
  const std::map<int64_t, std::unique_ptr<LiveJob>>& live() const { return live_; }
  void load(Job job);  // one that the store knows already

  // New jobs, in one transaction. Throws.
  void add(std::vector<Job>& jobs, const std::string& mutation_id = "");
  // Because somebody asked: throws, and then nothing has changed.
  void request(int64_t id, const Status& status, const std::string& mutation_id,
               const std::function<void(Job&)>& also = {});
  // Because it happened: kept in any case. The LiveJob of a job that is finished now is gone after it.
  void record(int64_t id, const Status& status);
  // The same of what is no change of its status; `happened` is told in its history.
  void amend(int64_t id, const std::function<void(Job&)>& change, const std::string& happened);
  // The row without a new status, such as an attempt's number. `save` throws; `try_save` tries again later.
  void save(const Job& job) { store_.update(job); }
  void try_save(int64_t id, const std::string& happened = "");
  // Changes what the job shows, not what is kept.
  void note(int64_t id, const std::string& text);
  void publish(int64_t id, std::string_view kind, const Json& event) const;

  // Calls `done` once the condition holds for the job (now, if it does).
  void when(int64_t id, Condition condition, Jobs::Done done);
  // Answers everybody who still waits with an error.
  void dismiss_waiters(const Error& error);

  JobView view(int64_t id) const;
  JobView view(const Job& job, const LiveJob* live) const;

 private:
  struct Waiter {
    Condition condition;
    Jobs::Done done;
  };
  void changed(int64_t id);
  void save_again();

  boost::asio::io_context& io_;
  Home home_;
  Store store_;
  Jobs::EventSink sink_;
  std::map<int64_t, std::unique_ptr<LiveJob>> live_;
  std::multimap<int64_t, Waiter> waiters_;
  std::set<int64_t> unsaved_;
  boost::asio::steady_timer save_timer_;
};

}  // namespace rft::jobs
