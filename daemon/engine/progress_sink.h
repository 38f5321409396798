// The engine's only channel to the outside: it reports through this and knows no socket, file or job.
// Called from the thread that runs the engine.
#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

namespace rft::engine {

// Thrown out of a long operation when the sink asked it to stop; what it was changing is unchanged.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // `done` of `total` units of the present phase ("rollout", "update", …) are complete.
  virtual void advance(std::string_view phase, int64_t done, int64_t total, std::string_view unit) = 0;
  // Asked between decode steps, so it must be cheap. An update of the weights never asks: it is finished.
  virtual bool stop_requested() const = 0;
};

}  // namespace rft::engine
