// Asks the daemon and waits for the answer. A request carries one id however often it has to be sent: when
// the daemon restarts before it has answered, the request is sent again, and the daemon does a mutation that
// it has done already not a second time. Not thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <zmq.hpp>

#include "base/json.h"

namespace rft::cli {

class Client {
 public:
  explicit Client(std::filesystem::path home) : home_(std::move(home)) {}

  // The reply's result. Throws the daemon's Error, or Unreachable.
  Json ask(const std::string& verb, const Json& args = Json::object(),
           std::chrono::milliseconds timeout = std::chrono::seconds(90));

  const std::filesystem::path& home() const { return home_; }

 private:
  std::filesystem::path home_;
  zmq::context_t zmq_;
};

}  // namespace rft::cli
