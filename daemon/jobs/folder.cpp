#include "jobs/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/sha256.h"

namespace rft::jobs {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 32;

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// Opens below `folder`: no symbolic link, no "..", no other file system's magic on the way.
UniqueFd open_at(int folder, const char* path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how)));
}

UniqueFd open_folder(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    throw Error(ErrorCode::not_found, folder.string() + " is not a folder");
  if (!fd) throw_errno("cannot open " + folder.string());
  return fd;
}

// Names in an open folder, sorted.
std::vector<std::string> names_in(int folder) {
  const int copy = ::fcntl(folder, F_DUPFD_CLOEXEC, 0);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), &::closedir);
  if (!stream) throw_errno("cannot list a folder");
  ::rewinddir(stream.get());
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Mixer {
 public:
  void add(uint64_t value) {
    // FNV-1a over the value's bytes: changes must be seen, not resisted.
    for (int byte = 0; byte < 8; ++byte) state_ = (state_ ^ ((value >> (8 * byte)) & 0xff)) * 0x100000001b3;
  }
  void add(const std::string& text) {
    for (const char c : text) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    add(text.size());
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

void mix_folder(int folder, int depth, Mixer& mixer, Fingerprint& print) {
  for (const auto& name : names_in(folder)) {
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      mixer.add(name);  // gone since it was listed
      continue;
    }
    ++print.num_entries;
    if (depth == 0 && name == "READY" && S_ISREG(info.st_mode)) print.has_ready = true;
    mixer.add(name);
    for (const uint64_t value :
         {uint64_t{info.st_mode}, uint64_t{info.st_ino}, static_cast<uint64_t>(info.st_size),
          static_cast<uint64_t>(nanoseconds(info.st_mtim)), static_cast<uint64_t>(nanoseconds(info.st_ctim))})
      mixer.add(value);
    if (!S_ISDIR(info.st_mode) || depth >= kMaxDepth) continue;
    if (const UniqueFd inner = open_at(folder, name.c_str(), O_RDONLY | O_DIRECTORY))
      mix_folder(inner.get(), depth + 1, mixer, print);
  }
}

[[noreturn]] void refuse(const fs::path& entry, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, entry.string() + " " + what, entry.string());
}

class Copier {
 public:
  Copier(const CopyLimits& limits, uid_t owner) : limits_(limits), owner_(owner) {}

  void copy(int from, int to, const fs::path& prefix, int depth) {
    if (depth > kMaxDepth) refuse(prefix, fmt::format("is nested deeper than {} folders", kMaxDepth));
    for (const auto& name : names_in(from)) {
      const fs::path entry = prefix / name;
      if (++num_files_ > limits_.max_files)
        refuse(
            entry,
            fmt::format("is one file too many: a job folder may hold {}; pack the data into fewer files, or "
                        "raise [intake] max_files in rftd.toml",
                        limits_.max_files));
      struct stat info {};
      if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        throw_errno("cannot look at " + entry.string());
      if (S_ISDIR(info.st_mode))
        copy_subfolder(from, to, name, entry, info, depth);
      else
        copy_file(from, to, name, entry, info);
    }
  }

 private:
  void copy_subfolder(int from, int to, const std::string& name, const fs::path& entry,
                      const struct stat& info, int depth) {
    const UniqueFd inner = open_at(from, name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!inner) throw_errno("cannot open " + entry.string());
    if (::mkdirat(to, name.c_str(), 0700) != 0) throw_errno("cannot make " + entry.string());
    const UniqueFd made = open_at(to, name.c_str(), O_RDONLY | O_DIRECTORY);
    if (!made) throw_errno("cannot open the copy of " + entry.string());
    copy(inner.get(), made.get(), entry, depth + 1);
    keep_times(made.get(), info);
  }

  void copy_file(int from, int to, const std::string& name, const fs::path& entry,
                 const struct stat& listed) {
    if (S_ISLNK(listed.st_mode)) refuse(entry, "is a symbolic link; put the file itself in its place");
    if (!S_ISREG(listed.st_mode))
      refuse(entry, "is a FIFO, a socket or a device; a job folder holds only files and folders");
    const UniqueFd in = open_at(from, name.c_str(), O_RDONLY);
    if (!in) throw_errno("cannot open " + entry.string());
    struct stat info {};
    if (::fstat(in.get(), &info) != 0) throw_errno("cannot look at " + entry.string());
    if (!S_ISREG(info.st_mode))
      refuse(entry, "is no regular file any more; leave the folder alone once it is dropped");
    if (info.st_nlink > 1 && info.st_uid != owner_)
      refuse(entry, "is a hard link to somebody else's file; put a copy in its place");
    num_bytes_ += static_cast<uint64_t>(info.st_size);
    if (num_bytes_ > limits_.max_bytes)
      refuse(entry,
             fmt::format("goes beyond the {} MB that a job folder may hold; name a model under HOME/models "
                         "instead of carrying it along, or raise [intake] max_folder_mb in rftd.toml",
                         limits_.max_bytes >> 20));
    const UniqueFd out(
        ::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) throw_errno("cannot make the copy of " + entry.string());
    if (::ioctl(out.get(), FICLONE, in.get()) != 0) copy_bytes(in.get(), out.get(), entry);
    if (::fchmod(out.get(), (info.st_mode & 0777) | 0400) != 0)
      throw_errno("cannot set the mode of " + entry.string());
    keep_times(out.get(), info);
  }

  // What was written to the source after its size was counted would go beyond the limit uncounted: the count
  // of bytes is bounded here, too.
  void copy_bytes(int in, int out, const fs::path& entry) {
    std::vector<char> buffer(1 << 20);
    uint64_t left = limits_.max_bytes;
    for (;;) {
      const ssize_t got = ::read(in, buffer.data(), std::min<uint64_t>(buffer.size(), left));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read " + entry.string());
      if (got == 0) return;
      left -= static_cast<uint64_t>(got);
      for (ssize_t done = 0; done < got;) {
        const ssize_t put = ::write(out, buffer.data() + done, static_cast<size_t>(got - done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == ENOSPC)
          throw Error(ErrorCode::resource, "the disk is full: cannot copy " + entry.string());
        if (put < 0) throw_errno("cannot copy " + entry.string());
        done += put;
      }
    }
  }

  static void keep_times(int fd, const struct stat& info) {
    const timespec times[2] = {info.st_atim, info.st_mtim};
    ::futimens(fd, times);  // only for people's eyes: a file system that cannot is no error
  }

  const CopyLimits& limits_;
  uid_t owner_;
  uint64_t num_files_ = 0;
  uint64_t num_bytes_ = 0;
};

}  // namespace

Fingerprint fingerprint(const fs::path& folder) {
  const UniqueFd fd = open_folder(folder);
  Mixer mixer;
  Fingerprint print;
  mix_folder(fd.get(), 0, mixer, print);
  print.digest = mixer.value();
  return print;
}

std::optional<FolderInfo> folder_info(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("cannot look at " + path.string());
  }
  return FolderInfo{
      {info.st_dev, info.st_ino, nanoseconds(info.st_ctim)}, info.st_uid, S_ISDIR(info.st_mode)};
}

Error not_seen(const fs::path& path, const std::string& kind, const std::string& mend) {
  return Error(
      ErrorCode::not_found,
      fmt::format("{}: the daemon sees no such {}; where it runs as a service it sees neither homes nor "
                  "/tmp: {}",
                  path.string(), kind, mend),
      kind);
}

void copy_folder(const fs::path& source, const fs::path& target, const CopyLimits& limits) {
  const UniqueFd from = open_folder(source);
  struct stat info {};
  if (::fstat(from.get(), &info) != 0) throw_errno("cannot look at " + source.string());
  if (::mkdir(target.c_str(), 0750) != 0) throw_errno("cannot make " + target.string());
  const UniqueFd to = open_folder(target);
  Copier(limits, info.st_uid).copy(from.get(), to.get(), "", 0);
}

UniqueFd open_beneath(const fs::path& folder, const fs::path& path) {
  if (path.is_absolute())
    refuse(path, "is an absolute path; give one relative to the job folder, and put the file there");
  const UniqueFd top = open_folder(folder);
  UniqueFd fd = open_at(top.get(), path.c_str(), O_RDONLY);
  if (!fd && (errno == EXDEV || errno == ELOOP))
    refuse(path, "leads out of the job folder; put the file into the folder and name it there");
  if (!fd && (errno == ENOENT || errno == ENOTDIR))
    refuse(path, "is not in the job folder; add it, or correct the name");
  if (!fd) throw_errno("cannot open " + path.string());
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_errno("cannot look at " + path.string());
  if (!S_ISREG(info.st_mode)) refuse(path, "is not a file");
  return fd;
}

std::string manifest(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (fs::is_regular_file(entry.symlink_status()))
      paths.push_back(fs::relative(entry.path(), folder).string());
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const auto& path : paths) text += sha256_file(folder / path) + "  " + path + "\n";
  return text;
}

void verify_manifest(const fs::path& folder, const std::string& manifest,
                     const std::vector<std::string>& prefixes) {
  std::istringstream lines(manifest);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 67)
      throw Error(ErrorCode::conflict, "the manifest of " + folder.string() + " is cut off");
    const std::string path = line.substr(66);
    const bool wanted = std::any_of(prefixes.begin(), prefixes.end(),
                                    [&](const std::string& prefix) { return path.rfind(prefix, 0) == 0; });
    if (!wanted) continue;
    if (!fs::exists(folder / path))
      throw Error(ErrorCode::conflict,
                  (folder / path).string() + " is gone: it was there when the job was admitted");
    if (sha256_file(folder / path) != line.substr(0, 64))
      throw Error(ErrorCode::conflict, (folder / path).string() +
                                           " is not what the job was admitted with; put the "
                                           "original back, or submit the folder anew");
  }
}

}  // namespace rft::jobs
