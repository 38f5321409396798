// What a service manager of systemd's kind wants to hear (sd_notify): that the daemon is ready, that it is
// stopping, and, where asked for, that its event loop still turns. Without NOTIFY_SOCKET all of this does
// nothing. A script, which has no such socket, gives a descriptor to be told through.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>

namespace rft::daemon {

void notify_service_manager(const std::string& state);

// Writes a newline to `fd` and closes it: the daemon answers from now on. Nothing for a negative one.
void notify_descriptor(int fd);

// Sends WATCHDOG=1 from the event loop at half the interval in WATCHDOG_USEC: a loop that stalls stops
// sending.
class Watchdog {
 public:
  explicit Watchdog(boost::asio::io_context& io);

 private:
  void ping();
  boost::asio::steady_timer timer_;
  std::chrono::microseconds every_{0};
};

}  // namespace rft::daemon
