// What plugins may do beyond the rest: the daemon's configuration says so, never a job. Without isolation
// runs what it trusts; where the machine cannot isolate, a plugin that is not trusted is refused, and the
// shipped ones are trusted as the daemon itself. The network has what it grants it to, when the job asks.
#pragma once

#include <string>
#include <vector>

#include "plugins/isolation.h"
#include "plugins/registry.h"

namespace rft::plugins {

class Trust {
 public:
  // Of [plugins]: digests, names or absolute paths of registered plugins, or "*" for every plugin.
  explicit Trust(std::vector<std::string> trusted, std::vector<std::string> network = {})
      : trusted_(std::move(trusted)), network_(std::move(network)) {}

  // Whether it runs without isolation. Throws Error(unsupported), with the mend, for a plugin that needs an
  // isolation which this machine does not have.
  bool runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const;
  // Throws Error(unsupported), with the mend, for a plugin that is neither granted the network nor trusted.
  void require_network(const ResolvedPlugin& plugin) const;

 private:
  std::vector<std::string> trusted_, network_;
};

}  // namespace rft::plugins
