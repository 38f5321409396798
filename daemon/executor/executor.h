// Where a job's worker runs. The supervisor asks for an attempt to be placed and hears when it has ended;
// whether that is a process of this machine or of a cluster's node is the executor's business alone.
// Everything is called, and calls back, on the io_context's thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/subprocess.h"

namespace rft::executor {

struct AttemptSpec {
  std::filesystem::path job_folder;
  std::filesystem::path socket;  // where the worker reports
  std::string token;             // proves to the daemon that the worker is its own
  int64_t attempt = 0;
  int64_t threads = 1;
  std::vector<std::string> gpus;  // by UUID; none: on the CPU
  std::filesystem::path stderr_file;
};

// A placed attempt. Destroying it kills the attempt.
class Placement {
 public:
  virtual ~Placement() = default;
  virtual int64_t pid() const = 0;  // 0 where it has none on this machine
  // Ends it at once, with everything that it started. Its end is reported as usual.
  virtual void kill() = 0;
  // Lets it live on, unwatched: it ends by itself once its socket is closed.
  virtual void abandon() = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // `ended` is called once, later, unless the placement was abandoned or destroyed before. Throws Error.
  virtual std::unique_ptr<Placement> place(const AttemptSpec& spec,
                                           std::function<void(const ExitStatus&)> ended) = 0;
};

}  // namespace rft::executor
