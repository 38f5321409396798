// Which plugins may run without isolation: the daemon's configuration says so, never a job. Where the machine
// cannot isolate, a plugin that is not trusted is refused; the shipped ones are trusted as the daemon itself.
#pragma once

#include <string>
#include <vector>

#include "plugins/isolation.h"
#include "plugins/registry.h"

namespace rft::plugins {

class Trust {
 public:
  // Of [plugins] trusted: digests, names of registered plugins, or "*" for every plugin.
  explicit Trust(std::vector<std::string> trusted) : trusted_(std::move(trusted)) {}

  // Whether it runs without isolation. Throws Error(unsupported), with the mend, for a plugin that needs an
  // isolation which this machine does not have.
  bool runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const;

 private:
  bool names(const ResolvedPlugin& plugin) const;

  std::vector<std::string> trusted_;
};

}  // namespace rft::plugins
