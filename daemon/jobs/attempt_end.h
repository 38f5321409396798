// How an attempt ended, and what follows from it: the worker's own last words where it had any, else what the
// operating system tells of its process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/machine_memory.h"
#include "base/subprocess.h"
#include "memory/estimate.h"
#include "protocol/worker_stream.h"

namespace rft::jobs {

struct AttemptEnd {
  enum class Kind {
    succeeded,
    stopped,     // as asked, a resume point written or the last one kept
    paused,      // by itself, a resume point written: its owner should look
    failed,      // another attempt would end the same way
    transient,   // another attempt may do better
    superseded,  // another attempt of the job was still alive
  };
  Kind kind = Kind::failed;
  std::string reason;                    // empty for succeeded and stopped
  ErrorCode code = ErrorCode::internal;  // of a failed or transient end
  Json result;                           // of succeeded
  std::string failure;                   // of a failed end that is a plugin's: how it failed
  std::string sub_scorer;                // and which one, where the job has several scorers
};

struct AttemptEvidence {
  ExitStatus exit;
  std::optional<protocol::WorkerFinished> last_words;
  std::string killed_because;                  // why the daemon killed it; empty: it did not
  bool stop_asked = false;                     // a pause or a stop was sent
  OutOfMemoryKills kills_before, kills_after;  // at its start and at its end
  std::optional<memory::Estimate> estimate;
  std::string stderr_tail;
};

AttemptEnd judge(const AttemptEvidence& evidence);

// The last lines of a file from `offset` on, at most some 500 bytes; empty when there is nothing.
std::string file_tail(const std::filesystem::path& file, uint64_t offset);

}  // namespace rft::jobs
