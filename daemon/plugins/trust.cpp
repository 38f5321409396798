#include "plugins/trust.h"

#include <algorithm>

#include "base/error.h"

namespace rft::plugins {
namespace {

// A job may call its own file as it likes: of that one only the digest counts.
bool names(const std::vector<std::string>& entries, const ResolvedPlugin& plugin) {
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return entry == "*" || entry == plugin.digest ||
           (plugin.origin != Origin::job_folder && (entry == plugin.name || entry == plugin.file));
  });
}

}  // namespace

bool Trust::runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const {
  if (names(trusted_, plugin)) return true;
  if (isolation.namespaces) return false;
  if (plugin.origin == Origin::shipped) return true;
  require_isolation(isolation, plugin.digest);
  return false;
}

void Trust::require_network(const ResolvedPlugin& plugin) const {
  if (names(network_, plugin) || names(trusted_, plugin)) return;
  throw Error(ErrorCode::unsupported,
              "it asks for the network, which is the daemon's owner's to grant: in rftd.toml, [plugins] "
              "network = [\"" +
                  plugin.digest + "\"], and start rftd anew");
}

}  // namespace rft::plugins
