// The fence between two attempts of one job: a worker holds flock on its job's attempt.lock as long as it
// lives, and the kernel lets go of it however the worker ends. A worker may outlive the daemon that started
// it; the next attempt starts only once the fence is free.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

namespace rft::jobs {

// Waits until nobody holds the lock, then calls `free`, once, on the io_context. While it is held, a thread
// sleeps in flock; nothing polls. Destroying the Fence forgets the call.
class Fence {
 public:
  Fence(boost::asio::io_context& io, const std::filesystem::path& lock, std::function<void()> free);
  ~Fence();

  bool was_free() const { return was_free_; }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  bool was_free_ = false;
};

// The process of this machine that holds the lock, as the kernel lists it.
std::optional<pid_t> lock_holder(const std::filesystem::path& lock);
// Kills the holder of the lock. Answers whether there was one.
bool kill_lock_holder(const std::filesystem::path& lock);

}  // namespace rft::jobs
