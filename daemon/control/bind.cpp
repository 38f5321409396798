#include "control/bind.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

namespace rft::control {
namespace {

// The mode of a Unix socket is decided by the umask at the moment of bind.
class PrivateUmask {
 public:
  PrivateUmask() : before_(::umask(0177)) {}
  ~PrivateUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace

void bind_private(zmq::socket_t& socket, const std::filesystem::path& path) {
  if (path.string().size() >= sizeof(sockaddr_un::sun_path))
    throw Error(ErrorCode::io, path.string() + ": longer than the " +
                                   std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                   " bytes that a socket's path may have");
  const PrivateUmask guard;
  try {
    socket.bind("ipc://" + path.string());
  } catch (const zmq::error_t& error) {
    throw Error(ErrorCode::io, "cannot listen at " + path.string() + ": " + error.what());
  }
}

}  // namespace rft::control
