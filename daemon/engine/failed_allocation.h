// Which exceptions mean that memory ran out: LibTorch and the standard library each have their own.
#pragma once

#include <exception>
#include <optional>
#include <string>

namespace rft::engine {

struct FailedAllocation {
  int64_t bytes = 0;  // that were asked for; 0: unknown
};

// Nothing for any other exception.
std::optional<FailedAllocation> failed_allocation(const std::exception& error);

}  // namespace rft::engine
