// What a plugin's process prints: taken from a pipe and appended to a file of bounded length, so that a
// plugin that prints without end fills no disk. Whoever waits for the process drains the pipe meanwhile; a
// full one would make the process wait. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace rft::plugins {

inline constexpr uint64_t kMaxPrintedBytes = uint64_t{16} << 20;  // that a file keeps, over all processes

class PrintedOutput {
 public:
  // Without a file there is no pipe either: the process prints where its parent does. Throws Error(io).
  explicit PrintedOutput(const std::filesystem::path& file);

  // The process's end of the pipe, to be closed here once it has started; none without a file.
  UniqueFd take_write_end() { return std::move(write_end_); }
  int readable() const { return read_end_.get(); }  // to be watched; -1 where there is nothing to drain

  // Takes what is in the pipe, without waiting. What is beyond the file's limit is dropped.
  void drain();
  // The last that this process printed, also where the file has no room for it.
  const std::string& tail() const { return tail_; }

 private:
  void keep(std::string_view text);

  UniqueFd file_;
  UniqueFd read_end_, write_end_;
  uint64_t room_ = 0;  // bytes that the file still takes
  std::string tail_;
};

}  // namespace rft::plugins
