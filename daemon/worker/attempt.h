// One attempt at a job: fenced by a lock, tied to the daemon if there is one, and always ending in words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace rft::worker {

struct AttemptOptions {
  std::filesystem::path job_folder;
  std::filesystem::path socket;  // of the daemon; empty: none, the log goes to stderr
  int64_t attempt = 1;
  int64_t threads = 0;         // 0: as OpenMP decides
  std::string device = "cpu";  // cpu | cuda
};

// Exit codes of `rft-worker train`.
constexpr int kExitDone = 0;           // succeeded, or stopped with a resume point written
constexpr int kExitFailed = 1;         // the `finished` message or stderr says why
constexpr int kExitOtherAttempt = 75;  // another attempt of this job is alive

// Runs the attempt and answers an exit code. Never throws.
int run_attempt(const AttemptOptions& options);

}  // namespace rft::worker
