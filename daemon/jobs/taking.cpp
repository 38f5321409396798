#include "jobs/taking.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"

namespace rft::jobs {
namespace fs = std::filesystem;
namespace {

bool is_there(const fs::path& path) { return fs::exists(fs::symlink_status(path)); }

// Another folder under the same name is another job's; the time of the last change may have passed on.
bool is_same_folder(const FolderIdentity& a, const FolderIdentity& b) {
  return a.device == b.device && a.inode == b.inode;
}

// Moves an entry within one file system. Answers false where that is not allowed.
bool try_rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EACCES || errno == EPERM || errno == ENOENT || errno == EXDEV) return false;
  throw_errno("cannot rename " + from.string());
}

// Where the job's source is now: under its claimed name if it could be renamed. Empty when it is gone.
fs::path claim(const Job& job, const Home& home) {
  if (job.keep_source) return is_there(job.source) ? job.source : fs::path();
  const fs::path claimed = home.claimed(job.id);
  if (is_there(claimed)) return claimed;
  const auto info = folder_info(job.source);
  if (!info || !is_same_folder(info->identity, job.identity)) return {};
  if (try_rename(job.source, claimed)) {
    sync_folder(home.incoming());
    return claimed;
  }
  return is_there(job.source) ? job.source : fs::path();
}

// A source that may not be removed stays; the store remembers that it is taken.
void remove_source(const Job& job, const Home& home) {
  std::error_code ignored;
  fs::remove_all(home.claimed(job.id), ignored);
}

// Into a folder that others filled: the file is made elsewhere and renamed in, so that no link in there is
// followed.
void write_reason(const Job& job, const Home& home, const fs::path& folder, const std::string& reason) {
  const fs::path made = home.rejected() / fmt::format(".reason-{}", job.id);
  write_file_atomically(made, reason + "\n");
  const UniqueFd target(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) throw_errno("cannot open " + folder.string());
  if (::renameat(AT_FDCWD, made.c_str(), target.get(), "REASON.txt") != 0)
    throw_errno("cannot write REASON.txt into " + folder.string());
}

}  // namespace

TakeOutcome take_folder(const Job& job, const Home& home, const CopyLimits& limits) {
  const fs::path target = home.job(job.folder_name());
  if (is_there(target)) {
    remove_source(job, home);
    return TakeOutcome::published;
  }
  const fs::path source = claim(job, home);
  if (source.empty()) return TakeOutcome::vanished;
  if (!fs::is_directory(fs::symlink_status(source)))
    throw Error(ErrorCode::invalid_argument, job.name +
                                                 " is not a folder; drop a folder that holds job.toml, the "
                                                 "data and, where it has its own, the scorer");

  const fs::path copying = home.copying(job.id);
  fs::remove_all(copying);
  fs::create_directory(copying);
  const Fingerprint before = fingerprint(source);
  copy_folder(source, copying / "input", limits);
  if (fingerprint(source) != before) {
    fs::remove_all(copying);
    return TakeOutcome::still_changing;
  }
  publish_folder(copying, target);
  remove_source(job, home);
  return TakeOutcome::published;
}

fs::path choose_rejected_folder(const Home& home, const std::string& name) {
  const fs::path first = home.rejected() / safe_name(name);
  fs::path target = first;
  for (int number = 2; is_there(target); ++number) target = first.string() + fmt::format(".{}", number);
  return target;
}

void reject_folder(const Job& job, const Home& home, const fs::path& target, const std::string& reason) {
  const fs::path claimed = home.claimed(job.id);
  const fs::path published = home.job(job.folder_name());
  std::string text = reason;
  if (!is_there(target)) {
    if (fs::is_directory(fs::symlink_status(claimed))) {
      try_rename(claimed, target);
    } else if (is_there(published / "input")) {
      try_rename(published / "input", target);
    }
  }
  if (!is_there(target)) {
    fs::create_directory(target);
    if (is_there(claimed)) try_rename(claimed, target / safe_name(job.name));  // no folder at all was dropped
  }
  if (const auto info = folder_info(job.source); info && is_same_folder(info->identity, job.identity))
    text += fmt::format("\n\nThe folder itself is where it was: {}", job.source.string());
  write_reason(job, home, target, text);
  sync_folder(target);
  sync_folder(home.rejected());
  std::error_code ignored;
  fs::remove_all(published, ignored);
  fs::remove_all(home.copying(job.id), ignored);
  fs::remove_all(claimed, ignored);
}

}  // namespace rft::jobs
