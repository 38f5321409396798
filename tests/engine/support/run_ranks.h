// The ranks of one job as threads of the test. Their memory and their sockets are the same between threads as
// between processes (tests/worker/siblings_test.cpp has the processes), and autograd does not outlive a fork.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine/ranks.h"

namespace rft::engine::testing {

// Calls `work` once for each rank, at the same time. Answers what each threw; null where it threw nothing.
inline std::vector<std::exception_ptr> outcomes_of_ranks(int64_t size,
                                                         const std::function<void(Ranks&)>& work) {
  RankLinks links = link_ranks(size);
  std::vector<std::exception_ptr> thrown(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        std::vector<UniqueFd> sockets;
        if (rank == 0)
          sockets = std::move(links.hub);
        else
          sockets.push_back(std::move(links.spokes[rank - 1]));
        Ranks ranks(rank, size, links.memory, std::move(sockets));
        work(ranks);
      } catch (...) {
        thrown[rank] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return thrown;
}

// The same, where none may fail: throws what the first of them threw.
inline void run_ranks(int64_t size, const std::function<void(Ranks&)>& work) {
  for (const std::exception_ptr& thrown : outcomes_of_ranks(size, work))
    if (thrown) std::rethrow_exception(thrown);
}

// What a rank threw, as text; empty where it threw nothing.
inline std::string text_of(const std::exception_ptr& thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace rft::engine::testing
