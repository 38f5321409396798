#include "control/bind.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

namespace rft::control {
namespace {

// The mode of a Unix socket is decided by the umask at the moment of bind.
class SocketUmask {
 public:
  explicit SocketUmask(mode_t mode) : before_(::umask(0777 & ~mode)) {}
  ~SocketUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace

mode_t socket_mode(const std::filesystem::path& incoming) {
  struct stat info {};
  if (::stat(incoming.c_str(), &info) != 0) throw_errno("cannot look at " + incoming.string());
  // A socket gets the daemon's own group, whichever the folder has.
  return (info.st_mode & S_IWGRP) != 0 && info.st_gid == ::getegid() ? 0660 : 0600;
}

void bind_socket(zmq::socket_t& socket, const std::filesystem::path& path, mode_t mode) {
  if (path.string().size() >= sizeof(sockaddr_un::sun_path))
    throw Error(ErrorCode::io, path.string() + ": longer than the " +
                                   std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                   " bytes that a socket's path may have");
  const SocketUmask guard(mode);
  try {
    socket.bind("ipc://" + path.string());
  } catch (const zmq::error_t& error) {
    throw Error(ErrorCode::io, "cannot listen at " + path.string() + ": " + error.what());
  }
}

}  // namespace rft::control
