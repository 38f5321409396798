#include "cli/exit_code.h"

namespace rft::cli {

ExitCode exit_code_of(const Error& error) {
  if (dynamic_cast<const Unreachable*>(&error) != nullptr) return kUnreachable;
  switch (error.code()) {
    case ErrorCode::not_found:
      return kNotFound;
    case ErrorCode::conflict:
      return kConflict;
    case ErrorCode::invalid_argument:
      return kUsage;
    default:
      return kFailed;
  }
}

ExitCode exit_code_of_state(std::string_view state) {
  if (state == "succeeded") return kOk;
  if (state == "cancelled") return kCancelled;
  if (state == "rejected") return kRejected;
  return kFailed;
}

bool is_finished(std::string_view state) {
  return state == "succeeded" || state == "failed" || state == "cancelled" || state == "rejected";
}

}  // namespace rft::cli
