// A folder that is removed, with all that is in it, when its owner goes.
#pragma once

#include <filesystem>
#include <utility>

namespace rft::cli {

class TemporaryFolder {
 public:
  // It need not be there yet.
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace rft::cli
