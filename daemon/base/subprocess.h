// A child process with one owner. It is started by fork and exec (nothing runs between the two but system
// calls, so a threaded parent is safe), leads a process group of its own, and is watched through its pidfd:
// an event loop waits on `pidfd()`, never polls. The child dies with its parent's thread where
// `dies_with_parent` is set (PR_SET_PDEATHSIG). Not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace rft {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is the program's path; no search in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // added to (or put over) the parent's
  bool inherit_environment = true;                               // false: `environment` is all of it
  std::filesystem::path working_directory;                       // empty: the parent's
  std::vector<std::pair<int, int>> descriptors;  // {parent's, child's number}; all others are closed on exec
  std::filesystem::path stderr_file;             // standard error and output, appended; empty: the parent's
  bool dies_with_parent = false;
  int cgroup = -1;  // an open cgroup.procs, which it enters before it runs; -1: it stays in the parent's
};

// How a process ended: exactly one of the first two is set.
struct ExitStatus {
  std::optional<int> exit_code;
  std::optional<int> signal;
  int64_t peak_memory = 0;  // the most that it, or a child that it waited for, held resident, in bytes
  // "exited with code 3" or "was killed by signal 11 (Segmentation fault)".
  std::string text() const;
};

class Subprocess {
 public:
  // Throws Error(io) when the program cannot be started (also when exec itself fails).
  explicit Subprocess(const ProcessOptions& options);
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  // Kills the process group with SIGKILL if it still runs, and reaps it.
  ~Subprocess();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  // readable once the process has ended
  void signal(int number) const;              // to the process
  void signal_group(int number) const;        // to its whole process group
  // Lets the process live on without an owner.
  void release() noexcept;
  // Waits at most `timeout_ms` (-1: for ever); nothing if it still runs. Reaps it.
  std::optional<ExitStatus> wait(int timeout_ms);

 private:
  void kill_and_reap() noexcept;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ExitStatus> status_;
};

}  // namespace rft
