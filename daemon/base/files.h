// Files that are whole or not there. Everything durable goes to a temporary name beside its place, is
// synced, and is renamed over; the folder is synced after the rename.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace rft {

// All functions throw Error(io) that names the path.
std::string read_file(const std::filesystem::path& path);
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
// Syncs a folder's entries, after a rename in it.
void sync_folder(const std::filesystem::path& folder);
// Syncs every file and folder below `root`, then renames it to `target`, which must not exist, and syncs
// the target's parent.
void publish_folder(const std::filesystem::path& root, const std::filesystem::path& target);

// An exclusive flock on `path` (made if missing), held as long as the descriptor is open; an empty UniqueFd
// when another process holds it.
UniqueFd try_lock_file(const std::filesystem::path& path);
// The same for one process alone (fcntl): a child does not hold it, not even between fork and exec, so that
// it is free at once when its process is killed. The process must not open the file a second time: closing
// any descriptor of it frees the lock.
UniqueFd try_lock_file_for_process(const std::filesystem::path& path);

// An append-only file whose length is part of a saved state: what was written after that state is cut off
// when the state is restored. Not thread-safe.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);  // opened, or made
  // Cuts the file to `length` bytes if it is longer.
  void cut_to(uint64_t length);
  // Appends one whole line, newline added, in a single write.
  void append_line(std::string_view line);
  // Makes everything so far durable and answers the length to save.
  uint64_t sync();
  uint64_t length() const { return length_; }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  uint64_t length_ = 0;
};

}  // namespace rft
