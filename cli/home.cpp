#include "cli/home.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/unique_fd.h"
#include "cli/exit_code.h"

namespace rft::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kOtherHome = ". Another home is chosen with --home DIR or RFTD_HOME";

// Whose the home is: "user rftd and the group rftd".
std::string owners_of(const fs::path& home) {
  struct stat info {};
  if (::stat(home.c_str(), &info) != 0) return "its user and group";
  const passwd* const user = ::getpwuid(info.st_uid);
  const group* const members = ::getgrgid(info.st_gid);
  return "user " + (user != nullptr ? user->pw_name : std::to_string(info.st_uid)) + " and the group " +
         (members != nullptr ? members->gr_name : std::to_string(info.st_gid));
}

}  // namespace

fs::path find_home(const std::string& given) {
  const auto variable = [](const char* name) -> std::string {
    const char* const value = std::getenv(name);
    return value ? value : "";
  };
  std::string home = given.empty() ? variable("RFTD_HOME") : given;
  if (home.empty() && !variable("XDG_DATA_HOME").empty()) home = variable("XDG_DATA_HOME") + "/rftd";
  if (home.empty() && !variable("HOME").empty()) home = variable("HOME") + "/.local/share/rftd";
  if (home.empty())
    throw Error(ErrorCode::invalid_argument, "which home? Give --home DIR or set RFTD_HOME", "--home");
  return fs::absolute(home).lexically_normal();
}

fs::path socket_path(const fs::path& home, const std::string& name) {
  std::error_code ignored;
  const fs::path run = fs::weakly_canonical(home / "run", ignored);
  return (ignored ? home / "run" : run) / name;
}

void require_daemon(const fs::path& home) {
  const auto refuse = [&](const std::string& why) {
    throw Unreachable("no daemon answers for " + home.string() + " (" + why + ")",
                      "Start one with: rftd --home " + home.string() + kOtherHome);
  };
  const fs::path path = socket_path(home, "control.sock");
  std::error_code unreadable;
  if (!fs::exists(home, unreadable) && !unreadable) refuse("there is no such home");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path) refuse(path.string() + " is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.string().size());
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) throw_errno("cannot make a socket");
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  if (errno == EACCES)
    throw Unreachable("the daemon of " + home.string() + " is not for you: it serves " + owners_of(home) +
                          ", where that may write to " + (home / "incoming").string(),
                      std::string("Become a member of the group and log in again") + kOtherHome);
  refuse(path.string() + ": " + std::strerror(errno));
}

}  // namespace rft::cli
