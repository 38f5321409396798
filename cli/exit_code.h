// What rftctl ends with. docs and `rftctl --help` list the same numbers; scripts depend on them.
#pragma once

#include <string_view>

#include "base/error.h"

namespace rft::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       // the command failed, or the job that was waited for did
  kUsage = 2,        // the command line is wrong
  kNotFound = 3,     // no such job, file or model
  kUnreachable = 4,  // no daemon answers
  kConflict = 5,     // not in the job's present state
  kRejected = 6,     // the folder did not become a job
  kCancelled = 7,    // the job that was waited for was cancelled
  kTimedOut = 8,     // the time given to wait is over
};

// The daemon cannot be reached, or has not answered.
class Unreachable : public Error {
 public:
  explicit Unreachable(const std::string& fault, const std::string& mend = "")
      : Error(ErrorCode::unavailable, mend.empty() ? fault : fault + ". " + mend), fault(fault), mend(mend) {}

  const std::string fault;
  const std::string mend;
};

ExitCode exit_code_of(const Error& error);
// Of a job that has finished in `state`.
ExitCode exit_code_of_state(std::string_view state);
bool is_finished(std::string_view state);

constexpr const char* kExitCodesHelp =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 daemon unreachable, 5 not in this state,\n"
    "            6 rejected, 7 cancelled, 8 timed out";

}  // namespace rft::cli
