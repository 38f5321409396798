// Lets an Asio loop serve a ZeroMQ socket. The descriptor behind ZMQ_FD says only that something may have
// happened, once per change, and any send or receive may swallow that sign; so readiness is always read from
// ZMQ_EVENTS: after a wake-up until nothing is left, and after every send (`sent`).
//
// One message is taken at a time, and after a bounded number the loop gets its turn, so that a flood on one
// socket starves nothing else. Used from the loop's thread only. The socket must outlive the watch.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <zmq.hpp>

namespace rft::control {

class SocketWatch {
 public:
  // `on_readable` receives exactly one message from the socket; it is never called before `start`.
  SocketWatch(boost::asio::io_context& loop, zmq::socket_t& socket, std::function<void()> on_readable);
  ~SocketWatch();
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;

  void start();
  // To be called after sending on the socket.
  void sent() { drain_soon(); }

 private:
  void wait();
  void drain();
  void drain_soon();

  boost::asio::io_context& loop_;
  zmq::socket_t& socket_;
  std::function<void()> on_readable_;
  boost::asio::posix::stream_descriptor descriptor_;
  bool drain_posted_ = false;
  std::shared_ptr<SocketWatch*> self_;  // what is posted to the loop holds this weakly
};

}  // namespace rft::control
