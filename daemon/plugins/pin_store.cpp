#include "plugins/pin_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "base/unique_fd.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

UniqueFd open_regular_file(const fs::path& file) {
  // Without following a link, and without waiting for a FIFO's writer.
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ELOOP)
    throw Error(ErrorCode::invalid_argument,
                file.string() + " is a symbolic link; a plugin must be the file itself");
  if (!fd) throw_errno("cannot open " + file.string());
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_errno("cannot stat " + file.string());
  if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::invalid_argument, file.string() + " is no regular file");
  return fd;
}

// A copy under a name of its own, durable, readable and executable.
fs::path copy_to_temporary(const fs::path& file, const fs::path& folder) {
  const UniqueFd from = open_regular_file(file);
  std::string name = (folder / ".tmp-XXXXXX").string();
  const UniqueFd to(::mkostemp(name.data(), O_CLOEXEC));
  if (!to) throw_errno("cannot create " + name);
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
    if (got < 0) throw_errno("cannot read " + file.string());
    if (got == 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(to.get(), buffer + done, static_cast<size_t>(got - done));
      if (written < 0) throw_errno("cannot write " + name);
      done += written;
    }
  }
  if (::fchmod(to.get(), 0555) != 0 || ::fsync(to.get()) != 0) throw_errno("cannot finish " + name);
  return name;
}

std::string digest_of_file(const fs::path& file) {
  const UniqueFd fd = open_regular_file(file);
  return sha256_file("/proc/self/fd/" + std::to_string(fd.get()));
}

bool is_intact(const PinnedPlugin& pinned) {
  return fs::exists(pinned.path) && sha256_file(pinned.path) == pinned.digest;
}

// Removes the temporary copy unless it was renamed into its place.
class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

PinStore::PinStore(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
  fs::create_directories(folder_.parent_path());
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("cannot make " + folder_.string());
}

PinnedPlugin PinStore::place_of(const std::string& digest, const fs::path& file) const {
  const fs::path extension = file.extension();
  const bool kept = extension == ".so" || extension == ".py";
  return {folder_ / digest / ("plugin" + (kept ? extension.string() : "")), digest};
}

PinnedPlugin PinStore::pin(const fs::path& file) const {
  // Bytes that are there need no writing and no waiting for a disk: a start pins every plugin that it finds.
  if (const PinnedPlugin known = place_of(digest_of_file(file), file); is_intact(known)) return known;
  const TemporaryFile copy(copy_to_temporary(file, folder_));
  // Of the copy: the original may change while it is read.
  const PinnedPlugin pinned = place_of(sha256_file(copy.path()), file);
  const fs::path folder = pinned.path.parent_path();
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) throw_errno("cannot make " + folder.string());
  // Over what may be there: a damaged copy is mended for the jobs to come.
  if (::rename(copy.path().c_str(), pinned.path.c_str()) != 0)
    throw_errno("cannot rename to " + pinned.path.string());
  sync_folder(folder);
  sync_folder(folder_);
  return pinned;
}

void PinStore::verify(const PinnedPlugin& pinned) const {
  if (!fs::exists(pinned.path))
    throw Error(ErrorCode::conflict, "the pinned plugin " + pinned.path.string() + " is missing");
  if (sha256_file(pinned.path) != pinned.digest)
    throw Error(ErrorCode::conflict,
                "the pinned plugin " + pinned.path.string() + " no longer has its digest");
}

}  // namespace rft::plugins
