// The daemon's end of one worker's stream, driven by hand from a test.
#pragma once

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <istream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft {

class WorkerListener {
 public:
  explicit WorkerListener(const std::filesystem::path& socket)
      : acceptor_(io_, boost::asio::local::stream_protocol::endpoint(socket.string())) {}

  // Waits for a worker and answers its hello; throws when none comes within a minute.
  Json accept() {
    pollfd waiting{acceptor_.native_handle(), POLLIN, 0};
    if (::poll(&waiting, 1, 60'000) != 1) throw std::runtime_error("no worker came");
    peer_ = boost::asio::local::stream_protocol::socket(io_);
    acceptor_.accept(peer_);
    return read().value();
  }
  // The next message; nothing once the worker has closed.
  std::optional<Json> read() {
    boost::system::error_code error;
    boost::asio::read_until(peer_, input_, '\n', error);
    if (error) return std::nullopt;
    std::string line;
    std::istream stream(&input_);
    std::getline(stream, line);
    return Json::parse(line);
  }
  // Reads until a message of `type`; nothing if the worker closes before.
  std::optional<Json> read_until(const std::string& type) {
    for (;;) {
      const auto message = read();
      if (!message || message->value("type", "") == type) return message;
    }
  }
  void write(const Json& message) { write_together(std::vector<Json>(1, message)); }
  // Several messages that arrive as one.
  void write_together(const std::vector<Json>& messages) {
    std::string bytes;
    for (const Json& message : messages) bytes += dump_json(message) + "\n";
    boost::asio::write(peer_, boost::asio::buffer(bytes));
  }
  void close() {
    peer_.close();
    input_.consume(input_.size());
  }

 private:
  boost::asio::io_context io_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::local::stream_protocol::socket peer_{io_};
  boost::asio::streambuf input_;
};

}  // namespace rft
