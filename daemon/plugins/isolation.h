// What keeps a plugin's process apart on this machine. Limits, no-new-privileges and the system call filter
// need nothing but the kernel; the namespaces (no network, of the files only those that it needs, its own
// process ids, so that nothing it starts outlives it) need bubblewrap and a kernel that lets this user make
// them. Landlock's file rules say once more which files there are, should the namespaces leak.
#pragma once

#include <string>

#include "base/json.h"

namespace rft::plugins {

struct Isolation {
  bool namespaces = false;          // bubblewrap works here
  bool system_call_filter = false;  // seccomp works here
  bool file_rules = false;          // Landlock works here
  std::string missing;              // why one of the first two is false, with the mend; empty: both hold
};

// Tries each means once in a short-lived child (some 20 ms) and remembers the answer for the process's life.
// Thread-safe.
const Isolation& available_isolation();

// Throws Error(unsupported), with the mend, where the namespaces are missing. `digest` is the plugin's.
void require_isolation(const Isolation& isolation, const std::string& digest);

// For `rftctl doctor`: {"namespaces", "system_call_filter", "file_rules", "limits", "no_new_privileges",
// "missing", "cgroup": {"folder", "memory", "pids", "missing"}}.
Json to_json(const Isolation& isolation);

}  // namespace rft::plugins
