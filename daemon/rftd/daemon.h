// The whole daemon: it owns the event loop and the subsystems, in the order in which they depend on each
// other, and runs until it is told to stop.
#pragma once

#include <filesystem>

namespace rft::daemon {

// Holds `home`, recovers its jobs, serves, and returns after SIGTERM or SIGINT. Throws Error for a home, a
// configuration or a state that it cannot work with. Once it answers requests, a newline goes to `ready_fd`
// (negative: nowhere), which is then closed.
void run_daemon(const std::filesystem::path& home, int ready_fd);

}  // namespace rft::daemon
