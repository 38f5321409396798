// A cgroup of its own around each plugin's process, where the daemon may make some: in one that systemd
// delegates to it (Delegate=yes), or whose folder it may write. Its limits hold for all that the plugin
// starts together, root's processes too, and its end is one that nothing escapes. Version 2 alone; elsewhere
// the limits are those of each process (host/confinement.h).
//
//   BASE/rftd-PID/main/           the daemon and its workers: processes and controllers exclude each other
//   BASE/rftd-PID/plugin-PID-N/   a plugin of one of them
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"

namespace rft::plugins {

struct Cgroups {
  std::filesystem::path folder;  // where the plugins' are made; empty: nowhere
  bool memory = false;           // its controllers
  bool pids = false;
  std::string missing;  // why there is no folder or controller
};

// For a daemon, once, before it starts a process: goes into a folder of its own and hands the controllers on.
// Its children find the place by the environment. Folders of daemons that have ended are removed.
void prepare_cgroups();
// What this process, or the daemon that it comes from, has prepared. Thread-safe.
const Cgroups& available_cgroups();

// One plugin's. Not thread-safe.
class PluginCgroup {
 public:
  // Makes it. Where that is not possible there is none, and nothing below does anything.
  explicit PluginCgroup(uint64_t memory_limit_bytes);
  ~PluginCgroup();  // kills what is in it, and removes it
  PluginCgroup(const PluginCgroup&) = delete;
  PluginCgroup& operator=(const PluginCgroup&) = delete;

  // A child goes into it by writing "0" there; -1: there is none. See ProcessOptions::cgroup.
  int entrance() const { return entrance_.get(); }
  void kill() const;
  // Whether the kernel has killed for its memory limit.
  bool ran_out_of_memory() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  UniqueFd entrance_;
};

}  // namespace rft::plugins
