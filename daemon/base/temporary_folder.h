// A folder that is removed, with all that is in it, when its owner goes.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/error.h"

namespace rft {

class TemporaryFolder {
 public:
  // It need not be there yet.
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  // One under /tmp that nobody else has.
  static TemporaryFolder in_tmp() {
    std::string name = (std::filesystem::temp_directory_path() / "rft-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw_errno("cannot make a folder in /tmp");
    return TemporaryFolder(name);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace rft
