// Content-addressed copies of plugins: STORE/<sha256>/plugin[.so|.py]. A running job uses the copy, so that
// replacing, truncating or overwriting the original never reaches it. The digest is that of the copy's bytes,
// and a copy appears under its name by a rename, whole. Safe to use from several processes at once.
#pragma once

#include <filesystem>
#include <string>

namespace rft::plugins {

struct PinnedPlugin {
  std::filesystem::path path;  // absolute
  std::string digest;          // sha256 of the file, 64 hexadecimal digits
};

class PinStore {
 public:
  // `folder` is made if it is missing, for its owner alone.
  explicit PinStore(const std::filesystem::path& folder);

  // Copies a regular file into the store, unless its bytes are there. Throws Error(invalid_argument) for
  // anything else (a symbolic link, a FIFO, a folder), and Error(io).
  PinnedPlugin pin(const std::filesystem::path& file) const;

  // Throws Error(conflict) when a pinned copy is missing or no longer has its digest.
  void verify(const PinnedPlugin& pinned) const;

 private:
  // Where the copy of a file with these bytes belongs.
  PinnedPlugin place_of(const std::string& digest, const std::filesystem::path& file) const;

  std::filesystem::path folder_;
};

}  // namespace rft::plugins
