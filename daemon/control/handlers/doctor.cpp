#include <sys/statvfs.h>

#include <map>
#include <zmq.hpp>

#include "base/error.h"
#include "control/handlers/handlers.h"
#include "plugins/isolation.h"

namespace rft::control {
namespace {

Json disk_of(const std::filesystem::path& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) throw_errno("cannot look at " + folder.string());
  const auto block = static_cast<uint64_t>(status.f_frsize);
  return {{"free_bytes", status.f_bavail * block}, {"total_bytes", status.f_blocks * block}};
}

Json programs_in(const std::filesystem::path& folder) {
  Json programs = Json::object();
  for (const char* name : {"rft-worker", "rft-plugin-host"})
    programs[name] = std::filesystem::exists(folder / name);
  return programs;
}

Json jobs_by_state(const jobs::Jobs& jobs) {
  std::map<std::string, int64_t> counts;
  for (const jobs::JobView& view : jobs.list({})) ++counts[std::string(to_string(view.state))];
  return counts;
}

std::string zmq_version() {
  const auto [major, minor, patch] = zmq::version();
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace

// What only the daemon can know; rftctl adds what is true of the machine.
void handle_doctor(Context& context, const Call& call) {
  Json refused = Json::array();
  for (const plugins::PluginRow& row : context.plugin_rows())
    if (row.state == "refused") refused.push_back({{"file", row.file}, {"reason", row.reason}});
  call.reply({{"version", context.version},
              {"home", context.home.string()},
              {"started_at", context.started_at},
              {"disk", disk_of(context.home)},
              {"program_folder", context.program_folder.string()},
              {"programs", programs_in(context.program_folder)},
              {"zmq", zmq_version()},
              {"python", context.python},
              {"isolation", plugins::to_json(plugins::available_isolation())},
              {"jobs", jobs_by_state(context.jobs)},
              {"refused_plugins", std::move(refused)}});
}

}  // namespace rft::control
