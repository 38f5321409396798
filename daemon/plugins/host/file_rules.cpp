#include "plugins/host/file_rules.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"

namespace rft::plugins::host {
namespace {

constexpr uint64_t kTruncate = uint64_t{1} << 14;  // of a newer header than Debian 12's
constexpr uint64_t kReadAndRun =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kOfAFile =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

// All that this kernel can deny; 0: it has no Landlock.
uint64_t known_rights() {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version <= 0) return 0;
  uint64_t rights = LANDLOCK_ACCESS_FS_REFER - 1;  // the first version's are the bits below
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rights |= kTruncate;
  return rights;
}

// What is not there needs no right.
void allow(const UniqueFd& rules, const std::string& path, uint64_t rights) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return;
  struct stat info {};
  if (::fstat(place.get(), &info) != 0) throw_errno("cannot look at " + path);
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(info.st_mode) ? rights : rights & kOfAFile;
  rule.parent_fd = place.get();
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    throw_errno("cannot make a file rule for " + path);
}

}  // namespace

void restrict_files(const std::vector<std::string>& readable, const std::string& state_file) {
  const uint64_t all = known_rights();
  if (all == 0) return;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = all;
  const UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (!rules) throw_errno("cannot make file rules");
  for (const auto& path : readable) allow(rules, path, kReadAndRun);
  allow(rules, "/proc", kReadAndRun);
  if (!state_file.empty())
    allow(rules, state_file,
          all & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate));
  allow(rules, "/dev", kReadAndRun | LANDLOCK_ACCESS_FS_WRITE_FILE);
  for (const char* path : {"/tmp", "/dev/shm"}) allow(rules, path, all);
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) throw_errno("cannot set file rules");
}

}  // namespace rft::plugins::host
