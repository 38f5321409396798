// What plugins may do beyond the rest: the daemon's configuration says so, never a job. Without isolation
// runs what it trusts; where the machine cannot isolate, a plugin that is not trusted is refused, and the
// shipped ones are trusted as the daemon itself. The network and secrets has what it grants them to, when the
// job asks, and a script runs under the interpreter that it names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugins/isolation.h"
#include "plugins/registry.h"

namespace rft::plugins {

class Trust {
 public:
  using Plugins = std::vector<std::string>;

  // Of [plugins]: digests, names or absolute paths of registered plugins, or "*" for every plugin. `python`:
  // absolute paths. `secrets`: by their names.
  explicit Trust(Plugins trusted, Plugins network = {}, std::vector<std::string> python = {},
                 std::map<std::string, Plugins> secrets = {})
      : trusted_(std::move(trusted)),
        network_(std::move(network)),
        python_(std::move(python)),
        secrets_(std::move(secrets)) {}

  // Whether it runs without isolation. Throws Error(unsupported), with the mend, for a plugin that needs an
  // isolation which this machine does not have.
  bool runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const;
  // Throws Error(unsupported), with the mend, for a plugin that is neither granted the network nor trusted.
  void require_network(const ResolvedPlugin& plugin) const;
  // The interpreter of scripts for a job that asks for this one; asked for none: the first that is named,
  // or empty for python3 of PATH. Throws Error(unsupported), with the mend, for one that is not named.
  std::string python(const std::string& asked) const;
  // Throws the same for a plugin that is not granted the secret; to trust it is not to grant it one.
  void require_secret(const ResolvedPlugin& plugin, const std::string& secret) const;

 private:
  Plugins trusted_, network_;
  std::vector<std::string> python_;
  std::map<std::string, Plugins> secrets_;
};

}  // namespace rft::plugins
