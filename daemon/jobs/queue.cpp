#include "jobs/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/machine_memory.h"

namespace rft::jobs {

Queue::Queue(int64_t cores, std::vector<std::string> gpus, int64_t memory)
    : num_cores_(cores),
      num_gpus_(static_cast<int64_t>(gpus.size())),
      memory_(memory),
      free_cores_(cores),
      free_memory_(memory),
      free_gpus_(std::move(gpus)) {}

int64_t Queue::cores_of(const Waiting& job) const {
  if (job.cores > 0) return job.cores;
  if (job.gpus == 0 || num_gpus_ == 0) return num_cores_;
  return std::max<int64_t>(1, num_cores_ / num_gpus_ * job.gpus);
}

bool Queue::fits_now(const Waiting& job) const {
  return cores_of(job) <= free_cores_ && job.memory <= free_memory_ &&
         job.gpus <= static_cast<int64_t>(free_gpus_.size());
}

std::optional<std::string> Queue::never_fits(const Waiting& job) const {
  if (job.gpus > num_gpus_)
    return fmt::format("it asks for {} {}, and this machine gives jobs {}; lower gpus in [resources]",
                       job.gpus, job.gpus == 1 ? "GPU" : "GPUs", num_gpus_);
  if (job.cores > num_cores_)
    return fmt::format(
        "it asks for {} cores, and this machine gives jobs {}; lower cores and ranks in [resources]",
        job.cores, num_cores_);
  if (job.memory > memory_)
    return fmt::format("it needs {} of memory, and this machine gives jobs {}", memory_text(job.memory),
                       memory_text(memory_));
  return std::nullopt;
}

void Queue::add(const Waiting& job) {
  waiting_[job.id] = job;
  owners_[job.owner].waiting.insert(job.id);
}

void Queue::remove(int64_t id) {
  int64_t owner = 0;
  if (const auto waits = waiting_.find(id); waits != waiting_.end()) {
    owner = waits->second.owner;
    owners_[owner].waiting.erase(id);
    waiting_.erase(waits);
  } else if (const auto held = held_.find(id); held != held_.end()) {
    owner = held->second.owner;
    auto& allocation = held->second.allocation;
    free_cores_ += allocation.cores;
    free_memory_ += allocation.memory;
    free_gpus_.insert(free_gpus_.end(), allocation.gpus.begin(), allocation.gpus.end());
    owners_[owner].cores_held -= allocation.cores;
    owners_[owner].gpus_held -= static_cast<int64_t>(allocation.gpus.size());
    held_.erase(held);
  } else {
    return;
  }
  const Owner& record = owners_[owner];
  if (record.waiting.empty() && record.cores_held == 0 && record.gpus_held == 0) owners_.erase(owner);
}

std::optional<int64_t> Queue::next_id() const {
  const auto rank = [](const Owner& owner, int64_t id) {
    return std::tuple(owner.gpus_held, owner.cores_held, owner.last_served, id);
  };
  const Owner* best = nullptr;
  int64_t best_id = 0;
  for (const auto& [_, owner] : owners_) {
    // Those that can never run here stand aside.
    const auto first = std::find_if(owner.waiting.begin(), owner.waiting.end(), [&](int64_t id) {
      const Waiting& job = waiting_.at(id);
      return !never_fits(job);
    });
    if (first == owner.waiting.end()) continue;
    if (best == nullptr || rank(owner, *first) < rank(*best, best_id)) {
      best = &owner;
      best_id = *first;
    }
  }
  if (best == nullptr) return std::nullopt;
  return best_id;
}

std::optional<Queue::Placement> Queue::take_next() {
  const auto id = next_id();
  if (!id) return std::nullopt;
  const Waiting job = waiting_.at(*id);
  if (!fits_now(job)) return std::nullopt;

  const int64_t cores = cores_of(job);
  Placement placement{*id, {cores, job.memory, {}}};
  placement.allocation.gpus.assign(free_gpus_.end() - job.gpus, free_gpus_.end());
  free_gpus_.resize(free_gpus_.size() - static_cast<size_t>(job.gpus));
  free_cores_ -= cores;
  free_memory_ -= job.memory;
  Owner& owner = owners_[job.owner];
  owner.waiting.erase(*id);
  owner.cores_held += cores;
  owner.gpus_held += job.gpus;
  owner.last_served = ++num_served_;
  waiting_.erase(*id);
  held_[*id] = {job.owner, placement.allocation};
  return placement;
}

std::string Queue::why_in_short(int64_t id) const {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return "";
  const Waiting& job = found->second;
  if (const auto never = never_fits(job)) return *never + ", or start the daemon on a larger machine";
  if (cores_of(job) <= free_cores_ && job.memory > free_memory_)
    return fmt::format("needs {} of {} of memory, and {} are free", memory_text(job.memory),
                       memory_text(memory_), memory_text(free_memory_));
  return fmt::format("needs {} of {} cores, and {} are free", cores_of(job), num_cores_, free_cores_);
}

std::vector<std::string> Queue::why(int64_t id) const {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return {};
  const Waiting& job = found->second;
  std::vector<std::string> reasons = {why_in_short(id)};
  if (never_fits(job)) return reasons;
  if (job.gpus > 0)
    reasons.push_back(
        fmt::format("needs {} of {} GPUs, and {} are free", job.gpus, num_gpus_, free_gpus_.size()));
  std::vector<std::string> holders;
  for (const auto& [holder, held] : held_)
    holders.push_back(fmt::format(
        "job {} ({} cores, {}{})", holder, held.allocation.cores, memory_text(held.allocation.memory),
        held.allocation.gpus.empty() ? "" : fmt::format(", {} GPUs", held.allocation.gpus.size())));
  if (!holders.empty()) reasons.push_back(fmt::format("the others are held by {}", fmt::join(holders, ", ")));
  const auto& mine = owners_.at(job.owner).waiting;
  const auto ahead = std::distance(mine.begin(), mine.find(id));
  reasons.push_back(ahead == 0 ? "it is the next of its owner"
                               : fmt::format("{} of its owner's jobs are ahead of it", ahead));
  if (owners_.size() > 1)
    reasons.push_back(fmt::format("the queue is shared fairly between {} owners", owners_.size()));
  return reasons;
}

}  // namespace rft::jobs
