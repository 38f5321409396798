// The processes of a job's other ranks, started by its first: `rft-worker train JOB_DIR --rank 1` and so on.
// They die with it (PR_SET_PDEATHSIG), share its stderr, and hold its attempt's lock as long as they live, so
// that no other attempt begins beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "engine/ranks.h"
#include "worker/attempt.h"

namespace rft::worker {

class Siblings {
 public:
  // Starts `num_ranks` - 1 processes for the attempt that holds `lock`; they die with the calling thread.
  Siblings(const AttemptOptions& options, int64_t num_ranks, int lock);

  // This process's own place among them, the first.
  engine::Ranks& ranks() { return ranks_; }

  // What became of one that has ended, or is about to: "rank 1 was killed by signal 9 (Killed)".
  std::string end_of(int64_t rank);
  // Waits for them once there is nothing left to do. Those that do not end are killed, here or when this
  // goes.
  void wait();

 private:
  std::vector<Subprocess> processes_;  // of ranks 1, 2, …
  engine::Ranks ranks_;
};

// In the process of another rank: its place, over the descriptors that Siblings gave it.
engine::Ranks join_ranks(int64_t rank, int64_t num_ranks);

// How many threads each of the ranks computes with; the same on all, since what they compute alike must come
// out alike. 0 threads are as many as the machine has cores.
int64_t threads_per_rank(int64_t threads, int64_t num_ranks);

}  // namespace rft::worker
