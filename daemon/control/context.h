// What the handlers of the control protocol may use. The daemon fills it; nothing here is owned.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "control/publisher.h"
#include "jobs/jobs.h"
#include "plugins/registry.h"

namespace rft::control {

struct Context {
  jobs::Jobs& jobs;
  Publisher& events;
  std::filesystem::path home;
  std::filesystem::path program_folder;  // where rft-worker and rft-plugin-host are
  std::vector<std::string> python;       // the interpreters that rftd.toml names
  std::string version;
  std::string started_at;  // UTC, "2026-01-31T09:00:00Z"
  // The plugins that jobs can name, as they are now.
  std::function<std::vector<plugins::PluginRow>()> plugin_rows;
};

}  // namespace rft::control
