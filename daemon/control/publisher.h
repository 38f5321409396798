// The events socket: an XPUB at run/events.sock. Publishing never waits: a subscriber that does not keep up
// loses events, sees so in their numbers (protocol/event.h), and asks for a snapshot. What it can make the
// daemon hold back for it is bounded: kMaxQueuedEvents of kMaxEventBytes.
//
// Used from the loop's thread only.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "control/socket_watch.h"

namespace rft::control {

constexpr int kMaxQueuedEvents = 1000;       // for each subscriber
constexpr size_t kMaxEventBytes = 64 << 10;  // a larger event is published without its data

class Publisher {
 public:
  Publisher(boost::asio::io_context& loop, zmq::context_t& zmq);

  // Listens at `socket`, for those whom `mode` lets in. Throws Error(io).
  void bind(const std::filesystem::path& socket, mode_t mode);

  void publish(const std::string& topic, const Json& data);
  // Names this start of the daemon.
  const std::string& boot() const { return boot_; }
  // {topic: number of its last event} of the topics that begin with `prefix`, for a snapshot. A subscription
  // that reached this machine before the request for the snapshot receives every later event.
  Json sequences(std::string_view prefix);

 private:
  void take_subscription();

  zmq::socket_t socket_;
  SocketWatch watch_;
  std::string boot_;
  std::map<std::string, uint64_t, std::less<>> sequences_;
};

}  // namespace rft::control
