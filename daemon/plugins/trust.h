// What plugins may do beyond the rest: the daemon's configuration says so, never a job. Without isolation
// runs what it trusts; where the machine cannot isolate, a plugin that is not trusted is refused, and the
// shipped ones are trusted as the daemon itself. The network has what it grants it to, when the job asks, and
// a script runs under the interpreter that it names.
#pragma once

#include <string>
#include <vector>

#include "plugins/isolation.h"
#include "plugins/registry.h"

namespace rft::plugins {

class Trust {
 public:
  // Of [plugins]: digests, names or absolute paths of registered plugins, or "*" for every plugin.
  // `python`: absolute paths.
  explicit Trust(std::vector<std::string> trusted, std::vector<std::string> network = {},
                 std::vector<std::string> python = {})
      : trusted_(std::move(trusted)), network_(std::move(network)), python_(std::move(python)) {}

  // Whether it runs without isolation. Throws Error(unsupported), with the mend, for a plugin that needs an
  // isolation which this machine does not have.
  bool runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const;
  // Throws Error(unsupported), with the mend, for a plugin that is neither granted the network nor trusted.
  void require_network(const ResolvedPlugin& plugin) const;
  // The interpreter of scripts for a job that asks for this one; asked for none: the first that is named,
  // or empty for python3 of PATH. Throws Error(unsupported), with the mend, for one that is not named.
  std::string python(const std::string& asked) const;

 private:
  std::vector<std::string> trusted_, network_, python_;
};

}  // namespace rft::plugins
