#include "plugins/isolation.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/subprocess.h"
#include "plugins/cgroup.h"
#include "plugins/launch.h"

namespace rft::plugins {
namespace {

constexpr int kProbeTimeoutMs = 5000;

// Whether bubblewrap can set up here what plugins get; if not, `missing` says why.
bool probe_namespaces(std::string& missing) {
  ProcessOptions probe;
  probe.argv = bubblewrap_argv({}, view_of({}, {}));
  if (!std::filesystem::exists(probe.argv[0])) {
    missing =
        "no network, file system and process isolation: bubblewrap is not installed (apt install bubblewrap)";
    return false;
  }
  probe.argv.emplace_back("/bin/true");
  probe.stderr_file = "/dev/null";
  const auto status = Subprocess(probe).wait(kProbeTimeoutMs);
  if (status && status->exit_code == 0) return true;
  missing =
      "no network, file system and process isolation: bubblewrap may not make namespaces here (in a "
      "container, "
      "allow unprivileged user namespaces)";
  return false;
}

bool probe_system_call_filter(std::string& missing) {
  const uint32_t action = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return true;
  missing += (missing.empty() ? "" : "; ") + std::string("no system call filter: this kernel has no seccomp");
  return false;
}

bool probe_file_rules() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

Isolation probe() {
  Isolation isolation;
  try {
    isolation.namespaces = probe_namespaces(isolation.missing);
  } catch (const Error& error) {
    isolation.missing = std::string("no network, file system and process isolation: ") + error.what();
  }
  isolation.file_rules = probe_file_rules();
  isolation.system_call_filter = probe_system_call_filter(isolation.missing);
  return isolation;
}

}  // namespace

const Isolation& available_isolation() {
  static const Isolation isolation = probe();
  return isolation;
}

void require_isolation(const Isolation& isolation, const std::string& digest) {
  if (isolation.namespaces) return;
  throw Error(
      ErrorCode::unsupported,
      "this machine cannot keep it apart (" + isolation.missing +
          "); mend that, or let it run with all that the daemon's user may do: in rftd.toml, [plugins] "
          "trusted = [\"" +
          digest + "\"], and start rftd anew");
}

Json to_json(const Isolation& isolation) {
  const Cgroups& cgroups = available_cgroups();
  return {{"cgroup",
           {{"folder", cgroups.folder.string()},
            {"memory", cgroups.memory},
            {"pids", cgroups.pids},
            {"missing", cgroups.missing}}},
          {"namespaces", isolation.namespaces},
          {"system_call_filter", isolation.system_call_filter},
          {"file_rules", isolation.file_rules},
          {"limits", true},
          {"no_new_privileges", true},
          {"missing", isolation.missing}};
}

}  // namespace rft::plugins
