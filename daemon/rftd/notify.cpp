#include "rftd/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/unique_fd.h"

namespace rft::daemon {

void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::min(std::strlen(path), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract socket
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  // Nobody listening is the manager's loss, not an error of ours.
  (void)::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

void notify_descriptor(int fd) {
  const UniqueFd owned(fd);
  if (owned) (void)!::write(owned.get(), "\n", 1);
}

Watchdog::Watchdog(boost::asio::io_context& io) : timer_(io) {
  const char* interval = std::getenv("WATCHDOG_USEC");
  if (interval == nullptr) return;
  every_ = std::chrono::microseconds(std::strtoll(interval, nullptr, 10) / 2);
  if (every_.count() > 0) ping();
}

void Watchdog::ping() {
  notify_service_manager("WATCHDOG=1");
  timer_.expires_after(every_);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) ping();
  });
}

}  // namespace rft::daemon
