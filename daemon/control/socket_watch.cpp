#include "control/socket_watch.h"

#include <boost/asio/post.hpp>

namespace rft::control {
namespace {

constexpr int kMessagesPerTurn = 64;

}  // namespace

SocketWatch::SocketWatch(boost::asio::io_context& loop, zmq::socket_t& socket,
                         std::function<void()> on_readable)
    : loop_(loop),
      socket_(socket),
      on_readable_(std::move(on_readable)),
      descriptor_(loop, socket.get(zmq::sockopt::fd)),
      self_(std::make_shared<SocketWatch*>(this)) {}

SocketWatch::~SocketWatch() {
  descriptor_.release();  // the descriptor is ZeroMQ's to close
}

void SocketWatch::start() {
  wait();
  drain_soon();  // what came before the first wait raises no sign any more
}

void SocketWatch::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [weak = std::weak_ptr(self_)](const boost::system::error_code& error) {
                           const auto self = weak.lock();
                           if (!self || error) return;
                           (*self)->wait();
                           (*self)->drain();
                         });
}

void SocketWatch::drain() {
  for (int taken = 0; taken < kMessagesPerTurn; ++taken) {
    if (!(socket_.get(zmq::sockopt::events) & ZMQ_POLLIN)) return;
    on_readable_();
  }
  drain_soon();
}

void SocketWatch::drain_soon() {
  if (std::exchange(drain_posted_, true)) return;
  boost::asio::post(loop_, [weak = std::weak_ptr(self_)] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->drain_posted_ = false;
    (*self)->drain();
  });
}

}  // namespace rft::control
