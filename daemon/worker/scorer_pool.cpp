#include "worker/scorer_pool.h"

#include <signal.h>

#include <utility>

#include "base/clock.h"

namespace rft::worker {
namespace {

// Signals are for the thread that the attempt runs in.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

ScorerPool::ScorerPool(Start start, int64_t num_hosts)
    : start_(std::move(start)), hosts_(static_cast<size_t>(num_hosts)) {
  for (size_t host = 0; host < hosts_.size(); ++host) threads_.emplace_back([this, host] { work(host); });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return num_started_ == hosts_.size(); });
  if (!start_failure_) return;
  lock.unlock();
  end();
  std::rethrow_exception(start_failure_);
}

ScorerPool::~ScorerPool() { end(); }

void ScorerPool::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    waiting_.clear();
  }
  to_do_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ScorerPool::begin_round() {
  const std::lock_guard lock(mutex_);
  ++round_;
  waiting_.clear();
  outcomes_.clear();
}

bool ScorerPool::has_room() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() < hosts_.size();
}

void ScorerPool::submit(size_t batch, std::vector<plugins::ScoreRequest> requests) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({.batch = batch, .requests = std::move(requests), .round = round_});
  }
  to_do_.notify_one();
}

std::vector<ScorerPool::Outcome> ScorerPool::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  done_.wait_for(lock, patience, [this] { return !outcomes_.empty(); });
  return std::exchange(outcomes_, {});
}

void ScorerPool::work(size_t host) {
  block_signals();
  {
    std::unique_ptr<plugins::Scorer> started;
    std::exception_ptr failure;
    try {
      started = start_();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    hosts_[host] = std::move(started);
    ++num_started_;
    if (failure && !start_failure_) start_failure_ = failure;
  }
  done_.notify_one();
  for (;;) {
    Outcome batch;
    {
      std::unique_lock lock(mutex_);
      to_do_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (ending_) break;
      batch = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const auto start = std::chrono::steady_clock::now();
    try {
      batch.results = hosts_[host]->score(batch.requests);
    } catch (...) {
      batch.failure = std::current_exception();
    }
    batch.seconds = seconds_since(start);
    {
      const std::lock_guard lock(mutex_);
      if (batch.round == round_) outcomes_.push_back(std::move(batch));
    }
    done_.notify_one();
  }
  hosts_[host].reset();
}

}  // namespace rft::worker
