// A ZeroMQ socket to the daemon that tells when the daemon goes away and comes back. ZeroMQ reconnects by
// itself; what it does not do is say so, and a client that lost the daemon must send again or ask for a
// snapshot. Not thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <zmq.hpp>

namespace rft::cli {

class Connection {
 public:
  enum class Event { readable, connected, disconnected, other, timeout };

  // Connects in the background; the first `connected` says that it is there.
  Connection(zmq::context_t& zmq, zmq::socket_type type, const std::filesystem::path& path);

  // Waits for the next thing to happen, at most until `deadline`; `other` says that the descriptor of that
  // name is readable.
  Event wait(std::chrono::steady_clock::time_point deadline, int other = -1);
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
};

}  // namespace rft::cli
