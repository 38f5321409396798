// The job's scorer as several hosts that work at the same time: batches go in, their outcomes come out, and
// whoever hands them over does not wait. Each host is in a thread of its own, which starts it and which its
// process dies with. The batches under way are bounded: one with each host, and one that waits for each.
// Used from one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "plugins/scorer_host.h"

namespace rft::worker {

class ScorerPool {
 public:
  using Start = std::function<std::unique_ptr<plugins::Scorer>()>;

  struct Outcome {
    size_t batch = 0;  // as it was handed over
    std::vector<plugins::ScoreRequest> requests;
    std::vector<plugins::ScoreResult> results;  // of them, in order
    std::exception_ptr failure;                 // instead of the results
    double seconds = 0;                         // that the host was busy with it
    int64_t round = 0;
  };

  // Starts them all. Throws what `start`, which is called from each of the threads, throws first.
  ScorerPool(Start start, int64_t num_hosts);
  // Forgets the batches that wait, and waits for those that a host is at.
  ~ScorerPool();
  ScorerPool(const ScorerPool&) = delete;
  ScorerPool& operator=(const ScorerPool&) = delete;

  // Forgets all batches before: what a host is at with one of them comes to nothing.
  void begin_round();
  bool has_room() const;
  void submit(size_t batch, std::vector<plugins::ScoreRequest> requests);  // only where there is room
  // What has come out since the last call; waits for the first for at most so long.
  std::vector<Outcome> take(std::chrono::milliseconds patience);

  // The first host, for what is asked of one alone while no batch is under way.
  plugins::Scorer& first() { return *hosts_.front(); }

 private:
  void work(size_t host);
  void end();

  Start start_;
  std::vector<std::unique_ptr<plugins::Scorer>> hosts_;  // each its thread's, but for first()
  mutable std::mutex mutex_;                             // of all that follows
  std::condition_variable to_do_, done_;
  std::deque<Outcome> waiting_;  // without an outcome yet
  std::vector<Outcome> outcomes_;
  int64_t round_ = 0;
  size_t num_started_ = 0;
  std::exception_ptr start_failure_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rft::worker
