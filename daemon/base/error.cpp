#include "base/error.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rft {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 9> kNames = {{
    {ErrorCode::invalid_argument, "invalid_argument"},
    {ErrorCode::not_found, "not_found"},
    {ErrorCode::conflict, "conflict"},
    {ErrorCode::unsupported, "unsupported"},
    {ErrorCode::io, "io"},
    {ErrorCode::plugin, "plugin"},
    {ErrorCode::resource, "resource"},
    {ErrorCode::unavailable, "unavailable"},
    {ErrorCode::internal, "internal"},
}};

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (const auto& [known, name] : kNames)
    if (known == code) return name;
  return "internal";
}

ErrorCode error_code_from_string(std::string_view name) {
  for (const auto& [code, known] : kNames)
    if (known == name) return code;
  return ErrorCode::internal;
}

void throw_errno(const std::string& what) {
  const int error = errno;
  throw Error(ErrorCode::io, what + ": " + std::strerror(error));
}

}  // namespace rft
