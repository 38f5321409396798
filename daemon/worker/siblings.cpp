#include "worker/siblings.h"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

namespace rft::worker {
namespace {

// Descriptors in the process of another rank.
constexpr int kSocket = 3;
constexpr int kMemory = 4;
constexpr int kLock = 5;  // only to be held

constexpr int kEndPatience_ms = 10'000;

ProcessOptions process_of(int64_t rank, const AttemptOptions& options, const engine::RankLinks& links,
                          int lock) {
  ProcessOptions process;
  process.argv = {std::filesystem::read_symlink("/proc/self/exe").string(),
                  "train",
                  options.job_folder.string(),
                  "--rank",
                  std::to_string(rank),
                  "--threads",
                  std::to_string(options.threads),
                  "--device",
                  options.device};
  process.descriptors = {
      {links.spokes[rank - 1].get(), kSocket}, {links.memory.get(), kMemory}, {lock, kLock}};
  process.dies_with_parent = true;
  return process;
}

}  // namespace

Siblings::Siblings(const AttemptOptions& options, int64_t num_ranks, int lock) {
  engine::RankLinks links = engine::link_ranks(num_ranks);
  for (int64_t rank = 1; rank < num_ranks; ++rank)
    processes_.emplace_back(process_of(rank, options, links, lock));
  ranks_ = engine::Ranks(0, num_ranks, links.memory, std::move(links.hub));
}

std::string Siblings::end_of(int64_t rank) {
  const auto status = processes_[rank - 1].wait(kEndPatience_ms);
  return "the process of rank " + std::to_string(rank) + " " +
         (status ? status->text() : "has closed its connection");
}

void Siblings::wait() {
  for (Subprocess& process : processes_) process.wait(kEndPatience_ms);
}

engine::Ranks join_ranks(int64_t rank, int64_t num_ranks) {
  std::vector<UniqueFd> sockets;
  sockets.emplace_back(kSocket);
  return {rank, num_ranks, UniqueFd(kMemory), std::move(sockets)};
}

int64_t threads_per_rank(int64_t threads, int64_t num_ranks) {
  if (num_ranks == 1) return threads;
  if (threads == 0) threads = std::thread::hardware_concurrency();
  return std::max<int64_t>(1, threads / num_ranks);
}

}  // namespace rft::worker
