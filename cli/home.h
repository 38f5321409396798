// Where the daemon that rftctl talks to lives, and the way to its sockets.
#pragma once

#include <filesystem>
#include <string>

namespace rft::cli {

// `given` (--home) if it is not empty, else $RFTD_HOME, else rftd in $XDG_DATA_HOME, else
// ~/.local/share/rftd. Absolute.
// Throws Error(invalid_argument) when none of them can be told.
std::filesystem::path find_home(const std::string& given);

// HOME/run/NAME with run/ followed if it is a link: a path that a socket can have.
std::filesystem::path socket_path(const std::filesystem::path& home, const std::string& name);

// Throws Unreachable with the mend unless somebody listens at the control socket right now.
void require_daemon(const std::filesystem::path& home);

}  // namespace rft::cli
