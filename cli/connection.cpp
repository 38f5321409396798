#include "cli/connection.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace rft::cli {
namespace {

constexpr int kReconnectMs = 100;
constexpr int kWatched = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;

}  // namespace

Connection::Connection(zmq::context_t& zmq, zmq::socket_type type, const std::filesystem::path& path)
    : socket_(zmq, type), monitor_(zmq, zmq::socket_type::pair) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
  monitor_.set(zmq::sockopt::linger, 0);
  // Named by a number, not by the socket's address: a new socket can have the address of an ended one of
  // which libzmq has yet to clear the monitor's name away.
  static std::atomic<uint64_t> count = 0;
  const std::string name = "inproc://monitor-" + std::to_string(++count);
  if (zmq_socket_monitor(socket_.handle(), name.c_str(), kWatched) != 0) throw zmq::error_t();
  monitor_.connect(name);
  socket_.connect("ipc://" + path.string());
}

Connection::Event Connection::wait(std::chrono::steady_clock::time_point deadline, int other) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::array<zmq::pollitem_t, 3> items = {{{socket_.handle(), 0, ZMQ_POLLIN, 0},
                                             {monitor_.handle(), 0, ZMQ_POLLIN, 0},
                                             {nullptr, other, ZMQ_POLLIN, 0}}};
    const size_t num_items = other < 0 ? 2 : 3;
    if (zmq::poll(items.data(), num_items, std::max(left, std::chrono::milliseconds(0))) == 0)
      return Event::timeout;
    // What was received before the connection broke comes first.
    if (items[0].revents & ZMQ_POLLIN) return Event::readable;
    if (items[2].revents & ZMQ_POLLIN) return Event::other;

    zmq::message_t event, address;
    (void)monitor_.recv(event);
    (void)monitor_.recv(address);
    uint16_t number = 0;  // the first two bytes, in the machine's order
    if (event.size() < sizeof number) continue;
    std::memcpy(&number, event.data(), sizeof number);
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return Event::connected;
    if (number == ZMQ_EVENT_DISCONNECTED) return Event::disconnected;
  }
}

}  // namespace rft::cli
