// One attempt at a job: fenced by a lock, tied to the daemon if there is one, and always ending in words. A
// job of several ranks is as many processes: this one is the first rank, starts the others, and ends when one
// of them does before its time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace rft::worker {

struct AttemptOptions {
  std::filesystem::path job_folder;
  std::filesystem::path socket;  // of the daemon; empty: none, the log goes to stderr
  int64_t attempt = 1;
  int64_t threads = 0;         // of all ranks together; 0: as OpenMP decides
  std::string device = "cpu";  // cpu | cuda
  int64_t rank = 0;            // above 0 only in a process that the first rank started
};

// Exit codes of `rft-worker train`.
constexpr int kExitDone = 0;           // succeeded, or stopped or paused with a resume point written
constexpr int kExitFailed = 1;         // the `finished` message or stderr says why
constexpr int kExitOtherAttempt = 75;  // another attempt of this job is alive

// Runs the attempt and answers an exit code. Never throws.
int run_attempt(const AttemptOptions& options);

}  // namespace rft::worker
