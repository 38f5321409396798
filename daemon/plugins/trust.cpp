#include "plugins/trust.h"

#include <algorithm>

namespace rft::plugins {

bool Trust::runs_unconfined(const ResolvedPlugin& plugin, const Isolation& isolation) const {
  if (names(plugin)) return true;
  if (isolation.namespaces) return false;
  if (plugin.origin == Origin::shipped) return true;
  require_isolation(isolation, plugin.digest);
  return false;
}

bool Trust::names(const ResolvedPlugin& plugin) const {
  return std::any_of(trusted_.begin(), trusted_.end(), [&](const std::string& entry) {
    return entry == "*" || entry == plugin.digest ||
           (plugin.origin != Origin::job_folder && entry == plugin.name);
  });
}

}  // namespace rft::plugins
