// The one exception type of the project. A failure that a caller is expected to meet is a return value;
// an Error travels to the nearest boundary (a request, a job, a plugin call), where it becomes a reply, a
// job's reason or a log line. Its text is read by people: it says what is wrong and, where there is one,
// the mend.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace rft {

enum class ErrorCode {
  invalid_argument,  // the user's input is wrong: a key, a path, a line of data
  not_found,
  conflict,     // right in itself, but not in the present state
  unsupported,  // well-formed, but not something this version can do
  io,           // the operating system said no
  plugin,       // a scorer or an adapter misbehaved
  resource,     // not enough memory, disk, cores or GPUs
  unavailable,  // the other side cannot be reached
  internal,     // a bug
};

std::string_view to_string(ErrorCode code);
// The code of that name, or ErrorCode::internal for a name that this version does not know.
ErrorCode error_code_from_string(std::string_view name);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  // `field` names what the message is about: a configuration key, an argument, a file.
  Error(ErrorCode code, const std::string& message, std::string field)
      : std::runtime_error(message), code_(code), field_(std::move(field)) {}

  ErrorCode code() const { return code_; }
  const std::string& field() const { return field_; }

 private:
  ErrorCode code_;
  std::string field_;
};

// An io Error for a failed system call: "`what`: strerror(errno)".
[[noreturn]] void throw_errno(const std::string& what);

}  // namespace rft
