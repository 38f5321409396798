#include "base/machine_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <vector>

#include "base/error.h"

namespace rft {
namespace {

namespace fs = std::filesystem;

// The number behind `name` in a file of "name number" lines.
std::optional<int64_t> named_number(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  std::string word;
  for (int64_t value = 0; in >> word;) {
    if (!(in >> value)) in.clear();
    if (word == name) return value;
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

// The only number of a file; nothing for "max".
std::optional<int64_t> lone_number(const fs::path& file) {
  std::ifstream in(file);
  int64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

// The folders of this process's memory cgroup and those around it, innermost first: of version 2, or of
// version 1's memory controller.
std::vector<fs::path> memory_cgroups(const fs::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t name = line.find(':'), path = line.find(':', name + 1);
    if (path == std::string::npos) continue;
    const std::string controllers = line.substr(name + 1, path - name - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    const fs::path base = root / (controllers.empty() ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    std::vector<fs::path> folders;
    // A container may see its own cgroup as the root, and be told another path.
    for (fs::path inner = line.substr(path + 1);; inner = inner.parent_path()) {
      folders.push_back(base / inner.relative_path());
      if (inner == inner.parent_path()) break;
    }
    if (fs::exists(base)) return folders;
  }
  return {};
}

}  // namespace

int64_t memory_limit_bytes(const fs::path& root) {
  const auto total = named_number(root / "proc/meminfo", "MemTotal:");
  if (!total) throw Error(ErrorCode::io, "/proc/meminfo does not tell the machine's memory");
  int64_t limit = *total * 1024;
  for (const fs::path& cgroup : memory_cgroups(root))
    for (const char* file : {"memory.max", "memory.limit_in_bytes"})
      if (const auto own = lone_number(cgroup / file)) limit = std::min(limit, *own);
  return limit;
}

int64_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

void limit_memory(int64_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0) throw_errno("cannot read the limit of memory");
  limit.rlim_cur = std::min(static_cast<rlim_t>(bytes), limit.rlim_max);
  if (::setrlimit(RLIMIT_DATA, &limit) != 0) throw_errno("cannot limit the memory");
}

OutOfMemoryKills count_out_of_memory_kills(const fs::path& root) {
  OutOfMemoryKills kills{.of_cgroup = {}, .of_machine = named_number(root / "proc/vmstat", "oom_kill")};
  for (const fs::path& cgroup : memory_cgroups(root)) {
    for (const char* file : {"memory.events", "memory.oom_control"})
      if (!kills.of_cgroup) kills.of_cgroup = named_number(cgroup / file, "oom_kill");
    if (kills.of_cgroup) break;
  }
  return kills;
}

std::string memory_text(int64_t bytes) {
  char text[32];
  if (bytes >= 1'000'000'000)
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) * 1e-9);
  else
    std::snprintf(text, sizeof text, "%.0f MB", static_cast<double>(bytes) * 1e-6);
  return text;
}

}  // namespace rft
