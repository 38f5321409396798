#pragma once

#include <chrono>
#include <string>

namespace rft {

// On the clock that no one sets.
inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// "2026-01-31T09:00:00Z"
std::string utc_text(std::chrono::system_clock::time_point time);
std::string utc_now();

}  // namespace rft
