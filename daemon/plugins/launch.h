// The command line and environment that rft-plugin-host is started with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plugins/host_options.h"

namespace rft::plugins {

struct Launch {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;  // all of it: no secret of the daemon's
  bool in_namespaces = false;                                    // started through bubblewrap
};

Launch plan_launch(const HostOptions& options);

// bubblewrap with the isolation that plugins get, for the probe: argv up to and including "--".
std::vector<std::string> bubblewrap_argv(const HostOptions& options);

}  // namespace rft::plugins
