// The worker's end of the worker stream. Sending never waits for the daemon: messages queue here and a
// thread of the link's own writes them; while the daemon does not read, progress messages are dropped (the
// next one says the same, newer) and all others are kept. A command to stop, and the daemon's end, both call
// `on_stop` once, from the link's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "protocol/worker_stream.h"

namespace rft::worker {

class DaemonLink {
 public:
  // Connects, says hello and waits for the welcome. Throws Error(unavailable) when nothing answers there, and
  // Error(conflict) with the daemon's reason when it refuses this worker.
  DaemonLink(const std::filesystem::path& socket, const protocol::WorkerHello& hello,
             std::function<void()> on_stop);
  // Writes what is still queued, waiting at most two seconds for the daemon to take it.
  ~DaemonLink();
  DaemonLink(const DaemonLink&) = delete;
  DaemonLink& operator=(const DaemonLink&) = delete;

  void send(const Json& message);  // from any thread
  // The newest scorer that the daemon has named since the last call, if any. From any thread.
  std::optional<protocol::ScorerSwap> take_scorer_swap();

 private:
  void await_welcome();
  void read_commands();
  void take_commands(const std::vector<std::string>& lines);
  void write_next();
  void stop_once();

  boost::asio::io_context io_;
  boost::asio::local::stream_protocol::socket socket_{io_};
  std::function<void()> on_stop_;
  std::mutex mutex_;
  std::optional<protocol::ScorerSwap> scorer_swap_;  // under the mutex
  // Only the link's thread touches what follows.
  std::array<char, 4096> buffer_{};
  protocol::LineSplitter splitter_;
  std::deque<std::string> queue_;  // the front is being written
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace rft::worker
