// One worker's connection to run/worker.sock: lines in, lines out. It knows no job; what a line means is the
// supervisor's business. Used on the io_context's thread.
#pragma once

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "protocol/worker_stream.h"

namespace rft::jobs {

class WorkerSession : public std::enable_shared_from_this<WorkerSession> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  struct Events {
    std::function<void(const Json& message)> message;
    std::function<void()> closed;  // once, also after a line that is no message
  };

  explicit WorkerSession(Socket socket) : socket_(std::move(socket)) {}
  // Reads until the other side closes. It keeps itself alive as long as it reads.
  void start(Events events);
  void set_events(Events events);
  void send(const Json& message);
  // Closes once everything sent is written. `closed` is not called.
  void close();

 private:
  void read();
  void write();
  void end();

  Socket socket_;
  Events events_;
  protocol::LineSplitter splitter_;
  std::array<char, 1 << 14> buffer_{};
  std::deque<std::string> outgoing_;
  bool closing_ = false;
};

}  // namespace rft::jobs
