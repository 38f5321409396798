#include "plugins/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "plugins/host_options.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr char kPlace[] = "RFTD_CGROUP";
constexpr char kPrefix[] = "rftd-";
constexpr int kEmptyWithinMs = 1000;

bool write_to(const fs::path& file, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string one; words >> one;)
    if (one == word) return true;
  return false;
}

// Where version 2 is mounted: /sys/fs/cgroup, or beside version 1 a folder of it. Empty: nowhere.
fs::path mount_point() {
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    return word;
  }
  return {};
}

fs::path own_folder() {
  const fs::path mount = mount_point();
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);)
    if (!mount.empty() && line.starts_with("0::")) return mount / fs::path(line.substr(3)).relative_path();
  return {};
}

// What daemons that have ended left behind; what still runs in one of them keeps it.
void remove_old(const fs::path& base) {
  std::error_code error;
  for (fs::directory_iterator it(base, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const pid_t daemon = std::atoi(name.c_str() + sizeof kPrefix - 1);
    if (daemon <= 0 || ::kill(daemon, 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    for (fs::directory_iterator inner(it->path(), ignored); !ignored && inner != end;
         inner.increment(ignored))
      ::rmdir(inner->path().c_str());
    ::rmdir(it->path().c_str());
  }
}

Cgroups look() {
  Cgroups cgroups;
  const char* const place = std::getenv(kPlace);
  if (place == nullptr || !fs::is_directory(place)) {
    cgroups.missing =
        "no cgroup is delegated: run rftd as a service with Delegate=yes, as its unit file has it";
    return cgroups;
  }
  cgroups.folder = place;
  const std::string handed_on = first_line(cgroups.folder / "cgroup.subtree_control");
  cgroups.memory = has_word(handed_on, "memory");
  cgroups.pids = has_word(handed_on, "pids");
  for (const auto& [controller, is_there] : {std::pair("memory", cgroups.memory), {"pids", cgroups.pids}})
    if (!is_there)
      cgroups.missing += (cgroups.missing.empty() ? "there is no " : " and no ") + std::string(controller) +
                         " controller in " + cgroups.folder.parent_path().string();
  return cgroups;
}

}  // namespace

void prepare_cgroups() {
  ::unsetenv(kPlace);  // of a daemon that started this one
  const fs::path base = own_folder();
  if (base.empty()) return;
  remove_old(base);
  const fs::path place = base / (kPrefix + std::to_string(::getpid()));
  if (::mkdir(place.c_str(), 0755) != 0) return;
  if (::mkdir((place / "main").c_str(), 0755) != 0 || !write_to(place / "main/cgroup.procs", "0")) {
    ::rmdir((place / "main").c_str());
    ::rmdir(place.c_str());
    return;
  }
  // One by one: a folder may have the one and not the other.
  for (const fs::path& folder : {base, place})
    for (const char* controller : {"+memory", "+pids"})
      write_to(folder / "cgroup.subtree_control", controller);
  ::setenv(kPlace, place.c_str(), 1);
}

const Cgroups& available_cgroups() {
  static const Cgroups cgroups = look();
  return cgroups;
}

PluginCgroup::PluginCgroup(uint64_t memory_limit_bytes) {
  static std::atomic<int> count = 0;
  const Cgroups& cgroups = available_cgroups();
  if (cgroups.folder.empty()) return;
  const fs::path made =
      cgroups.folder / ("plugin-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  if (::mkdir(made.c_str(), 0755) != 0) return;
  folder_ = made;
  entrance_ = UniqueFd(::open((made / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (cgroups.memory && memory_limit_bytes > 0) {
    write_to(made / "memory.max", std::to_string(memory_limit_bytes));
    write_to(made / "memory.swap.max", "0");
    write_to(made / "memory.oom.group", "1");  // a script and what it started end together
  }
  if (cgroups.pids) write_to(made / "pids.max", std::to_string(kMaxPluginProcesses));
}

PluginCgroup::~PluginCgroup() {
  if (folder_.empty()) return;
  kill();
  // Its processes are dead, and yet in it until they are gone: the kernel tells when by this file.
  const UniqueFd events(::open((folder_ / "cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  pollfd changed{events.get(), POLLPRI, 0};
  while (::rmdir(folder_.c_str()) != 0 && errno == EBUSY) {
    char text[256];
    const ssize_t got = ::pread(events.get(), text, sizeof text, 0);
    if (got <= 0) return;
    const bool is_empty =
        std::string_view(text, static_cast<size_t>(got)).find("populated 0") != std::string_view::npos;
    if (!is_empty && ::poll(&changed, 1, kEmptyWithinMs) <= 0) return;
  }
}

void PluginCgroup::kill() const {
  if (!folder_.empty()) write_to(folder_ / "cgroup.kill", "1");
}

bool PluginCgroup::ran_out_of_memory() const {
  if (folder_.empty()) return false;
  std::ifstream in(folder_ / "memory.events");
  std::string name;
  for (int64_t value = 0; in >> name >> value;)
    if (name == "oom_kill") return value > 0;
  return false;
}

}  // namespace rft::plugins
