#include "worker/daemon_link.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "base/error.h"

namespace rft::worker {
namespace asio = boost::asio;
namespace {

constexpr size_t kQueueForProgress = 64;  // beyond it, progress is dropped
constexpr auto kFlushTime = std::chrono::seconds(2);

}  // namespace

DaemonLink::DaemonLink(const std::filesystem::path& socket, const protocol::WorkerHello& hello,
                       std::function<void()> on_stop)
    : on_stop_(std::move(on_stop)) {
  boost::system::error_code error;
  socket_.connect(asio::local::stream_protocol::endpoint(socket.string()), error);
  if (!error) asio::write(socket_, asio::buffer(dump_json(to_json(hello)) + "\n"), error);
  if (error)
    throw Error(ErrorCode::unavailable,
                "cannot reach the daemon at " + socket.string() + ": " + error.message());
  await_welcome();
  read_commands();
  thread_ = std::thread([this] { io_.run(); });
}

DaemonLink::~DaemonLink() {
  asio::steady_timer deadline(io_, kFlushTime);
  deadline.async_wait([this](const boost::system::error_code& error) {
    if (!error) io_.stop();
  });
  asio::post(io_, [this] {
    closing_ = true;
    if (queue_.empty()) io_.stop();
  });
  thread_.join();
}

void DaemonLink::send(const Json& message) {
  const bool droppable = message.value("type", "") == "progress";
  asio::post(io_, [this, droppable, line = dump_json(message) + "\n"]() mutable {
    if (!socket_.is_open() || (droppable && queue_.size() >= kQueueForProgress)) return;
    queue_.push_back(std::move(line));
    if (queue_.size() == 1) write_next();
  });
}

std::optional<protocol::ScorerSwap> DaemonLink::take_scorer_swap() {
  const std::lock_guard lock(mutex_);
  return std::exchange(scorer_swap_, std::nullopt);
}

void DaemonLink::await_welcome() {
  std::vector<std::string> lines;
  while (lines.empty()) {
    boost::system::error_code error;
    const size_t got = socket_.read_some(asio::buffer(buffer_), error);
    if (error) throw Error(ErrorCode::unavailable, "the daemon closed the worker's connection");
    lines = splitter_.feed({buffer_.data(), got});
  }
  const Json answer = parse_json(lines.front(), "the daemon's answer");
  if (answer.value("type", "") != "welcome")
    throw Error(ErrorCode::conflict,
                "the daemon refused this worker: " + answer.value("reason", "no reason"));
  // A command may come right behind the welcome: the job was paused or stopped meanwhile.
  take_commands({lines.begin() + 1, lines.end()});
}

void DaemonLink::read_commands() {
  socket_.async_read_some(asio::buffer(buffer_), [this](const boost::system::error_code& error, size_t got) {
    try {
      if (error) throw Error(ErrorCode::unavailable, error.message());
      take_commands(splitter_.feed({buffer_.data(), got}));
      read_commands();
    } catch (const std::exception&) {
      // The daemon is gone, or what speaks there is none: either way nobody waits for this attempt.
      socket_.close();
      queue_.clear();
      stop_once();
      if (closing_) io_.stop();
    }
  });
}

void DaemonLink::take_commands(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const Json command = parse_json(line, "the daemon's command");
    const std::string type = command.value("type", "");
    if (type == "pause" || type == "stop") stop_once();
    if (type == "swap_scorer") {
      const std::lock_guard lock(mutex_);
      scorer_swap_ = protocol::scorer_swap_from_json(command);
    }
  }
}

void DaemonLink::write_next() {
  asio::async_write(socket_, asio::buffer(queue_.front()),
                    [this](const boost::system::error_code& error, size_t) {
                      if (error) return;  // the pending read meets the same end and acts on it
                      queue_.pop_front();
                      if (!queue_.empty()) return write_next();
                      if (closing_) io_.stop();
                    });
}

void DaemonLink::stop_once() {
  if (on_stop_) std::exchange(on_stop_, nullptr)();
}

}  // namespace rft::worker
