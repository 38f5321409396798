// A request's arguments, read with their types and ranges checked. Each error is an
// Error(invalid_argument) whose field is the argument's name. Unknown arguments are passed over.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::control {

class Args {
 public:
  explicit Args(Json args) : args_(std::move(args)) {}

  bool has(const char* name) const { return args_.contains(name) && !args_[name].is_null(); }
  // A required string that is not empty.
  std::string text(const char* name) const;
  std::string text_or(const char* name, const std::string& otherwise) const;
  bool flag(const char* name) const;  // absent: false
  int64_t integer_or(const char* name, int64_t otherwise, int64_t least, int64_t most) const;
  std::optional<int64_t> integer(const char* name, int64_t least, int64_t most) const;
  std::vector<std::string> texts(const char* name) const;  // absent: empty
  std::optional<Json> object(const char* name) const;      // absent: nothing
  // The job argument: its number, as a number or as digits, or its name.
  std::string job() const;

 private:
  Json args_;
};

}  // namespace rft::control
