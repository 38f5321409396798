// What rft-plugin-host is started with: its command line, its environment, and what it is told apart from
// them.
#pragma once

#include <string>
#include <vector>

#include "plugins/host_options.h"
#include "plugins/view.h"

namespace rft::plugins {

struct Launch {
  std::vector<std::string> argv;
  Environment environment;     // all of it: no secret of the daemon's
  bool in_namespaces = false;  // started through bubblewrap
  View view;                   // empty for a trusted plugin, which sees everything
  std::string secrets;         // JSON, for the host's ears alone: neither of the above has them
};

// `arguments`: of rft-plugin-host.
Launch plan_launch(const HostOptions& options, const std::vector<std::string>& arguments = {"serve"});

// Throws Error(invalid_argument) unless `python` runs as a Python under what plugins get of the environment.
void require_python(const std::filesystem::path& python);

// bubblewrap with the isolation that plugins get: argv up to and including "--".
std::vector<std::string> bubblewrap_argv(const HostOptions& options, const View& view);

}  // namespace rft::plugins
