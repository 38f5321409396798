// Which files a plugin may use, as Landlock keeps it: a second line behind the view that the namespaces give.
#pragma once

#include <string>
#include <vector>

namespace rft::plugins::host {

// From now on this process and its children read and run what lies at or below `readable` (and in /proc and
// /dev), and change nothing but /tmp, /dev/shm and `state_file` (empty: none). Does nothing where the kernel
// has no Landlock. Throws Error(io). Wants PR_SET_NO_NEW_PRIVS.
void restrict_files(const std::vector<std::string>& readable, const std::string& state_file);

}  // namespace rft::plugins::host
