#include "control/publisher.h"

#include <chrono>

#include "control/bind.h"
#include "protocol/event.h"
#include "protocol/request.h"

namespace rft::control {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Publisher::Publisher(boost::asio::io_context& loop, zmq::context_t& zmq)
    : socket_(zmq, zmq::socket_type::xpub),
      watch_(loop, socket_, [this] { take_subscription(); }),
      boot_(protocol::make_request_id()) {
  socket_.set(zmq::sockopt::sndhwm, kMaxQueuedEvents);
  socket_.set(zmq::sockopt::maxmsgsize, int64_t{4096});  // of a subscription
  socket_.set(zmq::sockopt::linger, kLingerMs);
}

void Publisher::bind(const std::filesystem::path& socket, mode_t mode) {
  bind_socket(socket_, socket, mode);
  watch_.start();
}

void Publisher::publish(const std::string& topic, const Json& data) {
  protocol::Event event{topic, boot_, ++sequences_[topic], seconds_since_1970(), data};
  std::string bytes = encode(event);
  if (bytes.size() > kMaxEventBytes) {
    event.data = {{"omitted_bytes", bytes.size()}};
    bytes = encode(event);
  }
  // An XPUB drops a message for a subscriber whose queue is full; it never blocks and never fails with
  // EAGAIN.
  socket_.send(zmq::buffer(topic), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
  socket_.send(zmq::buffer(bytes), zmq::send_flags::dontwait);
  watch_.sent();
}

Json Publisher::sequences(std::string_view prefix) {
  // ZeroMQ acts on a subscription that has arrived only when its socket is next used.
  while (socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) take_subscription();
  Json found = Json::object();
  for (auto it = sequences_.lower_bound(prefix); it != sequences_.end() && it->first.starts_with(prefix);
       ++it)
    found[it->first] = it->second;
  return found;
}

// ZeroMQ itself keeps who subscribed to what; the notice only has to be taken off the queue.
void Publisher::take_subscription() {
  zmq::message_t message;
  do {
    if (!socket_.recv(message, zmq::recv_flags::dontwait)) return;
  } while (message.more());
}

}  // namespace rft::control
