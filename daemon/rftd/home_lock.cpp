#include "rftd/home_lock.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"

namespace rft::daemon {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxSocketPath = 107;
constexpr std::string_view kLongestSocketName = "control.sock";

void make_folder(const fs::path& folder, mode_t mode) {
  if (::mkdir(folder.c_str(), mode) == 0 || errno == EEXIST) return;
  throw_errno("cannot make " + folder.string());
}

// Whoever can write to the home can make the daemon run what they like.
void require_safe(const fs::path& root) {
  struct stat info {};
  if (::stat(root.c_str(), &info) != 0) throw_errno("cannot look at " + root.string());
  if (!S_ISDIR(info.st_mode)) throw Error(ErrorCode::invalid_argument, root.string() + " is not a folder");
  if (info.st_uid != ::geteuid())
    throw Error(
        ErrorCode::invalid_argument,
        fmt::format(
            "{} belongs to user {}, and this is user {}; start rftd as that user, or give another --home",
            root.string(), info.st_uid, ::geteuid()));
  if ((info.st_mode & 0022) != 0)
    throw Error(ErrorCode::invalid_argument,
                fmt::format("{} can be written by others (mode {:04o}); run: chmod go-w '{}'", root.string(),
                            info.st_mode & 07777, root.string()));
}

// HOME/run, or where its sockets' paths would be too long to bind, a short folder that HOME/run links to.
fs::path make_run_folder(const jobs::Home& home) {
  const fs::path run = home.run();
  if (run.string().size() + 1 + kLongestSocketName.size() <= kMaxSocketPath) {
    if (fs::is_symlink(fs::symlink_status(run))) fs::remove(run);
    make_folder(run, 0750);
    return run;
  }
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const fs::path base = runtime != nullptr && *runtime != '\0' ? runtime : "/tmp";
  const fs::path stand_in = base / ("rftd-" + sha256(home.root.string()).substr(0, 16));
  make_folder(stand_in, 0700);
  require_safe(stand_in);
  if (!fs::is_symlink(fs::symlink_status(run)) || fs::read_symlink(run) != stand_in) {
    fs::remove_all(run);
    fs::create_directory_symlink(stand_in, run);
  }
  return stand_in;
}

}  // namespace

HeldHome hold_home(const fs::path& root) {
  fs::create_directories(root.parent_path());
  make_folder(root, 0750);
  require_safe(root);
  HeldHome held{{fs::canonical(root)}, {}, {}};
  held.lock = try_lock_file_for_process(held.home.lock());
  if (!held.lock)
    throw Error(ErrorCode::conflict,
                "another rftd serves " + held.home.root.string() + "; stop it, or give another --home");
  for (const auto& folder : {held.home.incoming(), held.home.jobs(), held.home.rejected(),
                             held.home.plugins(), held.home.models()})
    make_folder(folder, 0750);
  held.run_folder = make_run_folder(held.home);
  return held;
}

}  // namespace rft::daemon
