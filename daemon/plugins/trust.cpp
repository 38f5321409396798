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

// How an entry names it: a shipped plugin's digest is another with each version.
std::string entry_for(const ResolvedPlugin& plugin) {
  return "\"" + (plugin.origin == Origin::shipped ? plugin.name : plugin.digest) + "\"";
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
              "network = [" +
                  entry_for(plugin) + "], and start rftd anew");
}

void Trust::require_secret(const ResolvedPlugin& plugin, const std::string& secret) const {
  const auto granted = secrets_.find(secret);
  if (granted != secrets_.end() && names(granted->second, plugin)) return;
  throw Error(ErrorCode::unsupported,
              "it asks for the secret \"" + secret +
                  "\", which is the daemon's owner's to grant: in rftd.toml, [plugins] secrets = { " +
                  secret + " = [" + entry_for(plugin) + "] }, and start rftd anew");
}

std::string Trust::python(const std::string& asked) const {
  if (asked.empty()) return python_.empty() ? "" : python_.front();
  if (std::find(python_.begin(), python_.end(), asked) != python_.end()) return asked;
  std::string allowed;
  for (const auto& python : python_) allowed += (allowed.empty() ? "" : ", ") + python;
  throw Error(ErrorCode::unsupported,
              "which interpreters there are is the daemon's owner's to say: in rftd.toml, [plugins] python " +
                  (allowed.empty() ? "names none" : "names " + allowed) +
                  "; ask for one of these, or let it be added there and rftd started anew");
}

}  // namespace rft::plugins
