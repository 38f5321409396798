// The home, made and held: its folders exist with safe modes, nobody else may write to it, and no other
// daemon has it. This comes before anything is bound or read.
#pragma once

#include <filesystem>

#include "base/unique_fd.h"
#include "jobs/home.h"

namespace rft::daemon {

struct HeldHome {
  jobs::Home home;
  std::filesystem::path
      run_folder;  // where sockets are bound: HOME/run, or a short stand-in that it links to
  UniqueFd lock;
};

// Throws Error(conflict) when another daemon holds the home, Error(invalid_argument) for a home that others
// may write to or that is not this user's, Error(io).
HeldHome hold_home(const std::filesystem::path& root);

}  // namespace rft::daemon
