// Who runs next, on how many cores, in how much memory and on which GPUs. A plain data structure: no clock,
// no thread, no disk.
//
// Fair between owners, first come first served within one: of the owners with jobs waiting, the next job is
// that of the one who holds the fewest cores and GPUs now, then of the one served longest ago. Once chosen,
// it waits for its slots and nobody overtakes it, so that a job that needs the whole machine gets it. A job
// that needs more than the machine has stands aside until its daemon is started on a larger one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rft::jobs {

struct Waiting {
  int64_t id = 0;
  int64_t owner = 0;
  int64_t cores = 0;  // 0: all of the machine's, or with GPUs their share of them
  int64_t gpus = 0;
  int64_t memory = 0;  // bytes
};

struct Allocation {
  int64_t cores = 0;
  int64_t memory = 0;             // bytes
  std::vector<std::string> gpus;  // by UUID
};

class Queue {
 public:
  Queue(int64_t cores, std::vector<std::string> gpus, int64_t memory);

  void add(const Waiting& job);
  // Out of the queue, whether it waits or holds slots; these are free again.
  void remove(int64_t id);
  struct Placement {
    int64_t id = 0;
    Allocation allocation;
  };
  // The next job, if it fits now; it holds its slots until it is removed.
  std::optional<Placement> take_next();

  // Why the job waits, a sentence each. Empty when it does not wait here. Takes as long as the queue is.
  std::vector<std::string> why(int64_t id) const;
  // The first of these sentences, at once.
  std::string why_in_short(int64_t id) const;
  // Why a job that asks for so much can never run here; nothing when it can.
  std::optional<std::string> never_fits(const Waiting& job) const;
  size_t num_waiting() const { return waiting_.size(); }

 private:
  struct Owner {
    std::set<int64_t> waiting;
    int64_t cores_held = 0;
    int64_t gpus_held = 0;
    int64_t last_served = 0;  // a count of placements
  };
  struct Held {
    int64_t owner = 0;
    Allocation allocation;
  };
  int64_t cores_of(const Waiting& job) const;
  bool fits_now(const Waiting& job) const;
  std::optional<int64_t> next_id() const;

  int64_t num_cores_;
  int64_t num_gpus_;
  int64_t memory_;
  int64_t free_cores_;
  int64_t free_memory_;
  std::vector<std::string> free_gpus_;
  std::map<int64_t, Waiting> waiting_;
  std::map<int64_t, Owner> owners_;
  std::map<int64_t, Held> held_;
  int64_t num_served_ = 0;
};

}  // namespace rft::jobs
