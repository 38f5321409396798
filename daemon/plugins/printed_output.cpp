#include "plugins/printed_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/pipe.h"

namespace rft::plugins {
namespace {

constexpr size_t kMaxTailBytes = 2000;
constexpr int kMaxReads = 16;  // at a time: a process may print faster than this reads
constexpr std::string_view kCutLine = "\n[cut here: 16 MiB of what a plugin prints are kept]\n";

// A log is no reason to fail: what a full disk does not take is lost.
void append(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

PrintedOutput::PrintedOutput(const std::filesystem::path& file) {
  if (file.empty()) return;
  file_ = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_) throw_errno("cannot open " + file.string());
  const auto size = static_cast<uint64_t>(std::max<off_t>(0, ::lseek(file_.get(), 0, SEEK_END)));
  room_ = kMaxPrintedBytes - std::min(kMaxPrintedBytes, size);
  Pipe pipe;
  read_end_ = std::move(pipe.read);
  write_end_ = std::move(pipe.write);
  ::fcntl(read_end_.get(), F_SETFL, O_NONBLOCK);
}

void PrintedOutput::drain() {
  char buffer[1 << 16];
  for (int reads = 0; reads < kMaxReads && read_end_; ++reads) {
    const ssize_t got = ::read(read_end_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) return read_end_.reset();
    keep({buffer, static_cast<size_t>(got)});
  }
}

void PrintedOutput::keep(std::string_view text) {
  tail_.append(text);
  tail_.erase(0, tail_.size() - std::min(tail_.size(), kMaxTailBytes));
  if (room_ == 0) return;
  const std::string_view kept = text.substr(0, room_);
  append(file_.get(), kept);
  room_ -= kept.size();
  if (room_ == 0) append(file_.get(), kCutLine);
}

}  // namespace rft::plugins
