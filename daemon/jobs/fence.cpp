#include "jobs/fence.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "base/unique_fd.h"

namespace rft::jobs {

struct Fence::Shared {
  std::mutex mutex;
  boost::asio::io_context* io = nullptr;  // null once the Fence is gone
  std::function<void()> free;

  static void call(const std::shared_ptr<Shared>& shared) {
    const std::lock_guard lock(shared->mutex);
    if (shared->io == nullptr) return;
    boost::asio::post(*shared->io, [shared] {
      if (shared->io != nullptr) shared->free();
    });
  }
};

Fence::Fence(boost::asio::io_context& io, const std::filesystem::path& lock, std::function<void()> free)
    : shared_(std::make_shared<Shared>()) {
  shared_->io = &io;
  shared_->free = std::move(free);
  if (!std::filesystem::exists(lock) || try_lock_file(lock)) {
    was_free_ = true;
    Shared::call(shared_);
    return;
  }
  UniqueFd fd(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  std::thread([shared = shared_, fd = std::move(fd)] {
    while (::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    ::flock(fd.get(), LOCK_UN);
    Shared::call(shared);
  }).detach();
}

Fence::~Fence() {
  const std::lock_guard lock(shared_->mutex);
  shared_->io = nullptr;
}

std::optional<pid_t> lock_holder(const std::filesystem::path& lock) {
  struct stat info {};
  if (::stat(lock.c_str(), &info) != 0) return std::nullopt;
  // "1: FLOCK  ADVISORY  WRITE 708 08:01:1234 0 EOF"; a waiter's line has "->" after its number.
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    int pid = 0;
    unsigned major_number = 0, minor_number = 0;
    uint64_t inode = 0;
    if (std::sscanf(line.c_str(), "%*d: FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &major_number, &minor_number,
                    &inode) != 4)
      continue;
    if (inode == info.st_ino && major_number == major(info.st_dev) && minor_number == minor(info.st_dev) &&
        pid > 0)
      return pid;
  }
  return std::nullopt;
}

bool kill_lock_holder(const std::filesystem::path& lock) {
  const auto holder = lock_holder(lock);
  if (!holder) return false;
  // The pidfd fixes the process; it is the right one if it still holds the lock after that.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *holder, 0)));
  if (!pidfd || lock_holder(lock) != holder) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
}

}  // namespace rft::jobs
