#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"

namespace rft {
namespace fs = std::filesystem;
namespace {

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("cannot write " + path.string());
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void sync_fd(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) throw_errno("cannot sync " + path.string());
}

void sync_path(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw_errno("cannot open " + path.string());
  sync_fd(fd.get(), path);
}

}  // namespace

std::string read_file(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open " + path.string());
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + path.string());
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  const fs::path temporary = path.parent_path() / ("." + path.filename().string() + ".tmp");
  {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) throw_errno("cannot create " + temporary.string());
    write_all(fd.get(), bytes, temporary);
    sync_fd(fd.get(), temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("cannot rename to " + path.string());
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void sync_folder(const fs::path& folder) { sync_path(folder); }

void publish_folder(const fs::path& root, const fs::path& target) {
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_directory() || entry.is_regular_file()) sync_path(entry.path());
  sync_path(root);
  if (fs::exists(fs::symlink_status(target)))
    throw Error(ErrorCode::conflict, target.string() + " already exists");
  if (::rename(root.c_str(), target.c_str()) != 0) throw_errno("cannot rename to " + target.string());
  sync_folder(target.parent_path());
}

namespace {

UniqueFd open_lock_file(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_errno("cannot open " + path.string());
  return fd;
}

}  // namespace

UniqueFd try_lock_file(const fs::path& path) {
  UniqueFd fd = open_lock_file(path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return UniqueFd();
  throw_errno("cannot lock " + path.string());
}

UniqueFd try_lock_file_for_process(const fs::path& path) {
  UniqueFd fd = open_lock_file(path);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_SETLK, &whole) == 0) return fd;
  if (errno == EACCES || errno == EAGAIN) return UniqueFd();
  throw_errno("cannot lock " + path.string());
}

AppendFile::AppendFile(const fs::path& path)
    : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (!fd_) throw_errno("cannot open " + path.string());
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) throw_errno("cannot stat " + path.string());
  length_ = static_cast<uint64_t>(info.st_size);
}

void AppendFile::cut_to(uint64_t length) {
  if (length_ <= length) return;
  if (::ftruncate(fd_.get(), static_cast<off_t>(length)) != 0)
    throw_errno("cannot truncate " + path_.string());
  length_ = length;
}

void AppendFile::append_line(std::string_view line) {
  std::string text(line);
  text += '\n';
  write_all(fd_.get(), text, path_);
  length_ += text.size();
}

uint64_t AppendFile::sync() {
  sync_fd(fd_.get(), path_);
  return length_;
}

}  // namespace rft
