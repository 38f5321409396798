#include "control/pages.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/unique_fd.h"

namespace rft::control {
namespace {

// An open file and its size; no descriptor where there is no such file.
struct OpenFile {
  UniqueFd fd;
  uint64_t size = 0;

  explicit OpenFile(const std::filesystem::path& file) : path(file) {
    fd = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd && errno != ENOENT) throw_errno("cannot read " + file.string());
    struct stat status {};
    if (!fd) return;
    if (::fstat(fd.get(), &status) != 0) throw_errno("cannot read " + file.string());
    if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::io, file.string() + ": not a regular file");
    size = static_cast<uint64_t>(status.st_size);
  }

  std::string read(uint64_t offset, size_t length) const {
    std::string bytes(std::min<uint64_t>(length, offset < size ? size - offset : 0), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got =
          ::pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read " + path.string());
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    bytes.resize(done);
    return bytes;
  }

  // Where the line that `offset` lies in ends: behind its newline. Nothing while it is being written.
  std::optional<uint64_t> end_of_line(uint64_t offset) const {
    while (offset < size) {
      const std::string bytes = read(offset, kPageBytes);
      if (bytes.empty()) break;
      if (const size_t newline = bytes.find('\n'); newline != std::string::npos) return offset + newline + 1;
      offset += bytes.size();
    }
    return std::nullopt;
  }

  std::filesystem::path path;
};

Page page_of(const OpenFile& file, uint64_t offset, int64_t max_lines) {
  Page page{{}, offset, offset, file.size};
  if (!file.fd) return page;
  const std::string bytes = file.read(offset, kPageBytes);
  size_t begin = 0;
  while (static_cast<int64_t>(page.lines.size()) < max_lines) {
    const size_t newline = bytes.find('\n', begin);
    if (newline == std::string::npos) break;
    page.lines.push_back(bytes.substr(begin, newline - begin));
    begin = newline + 1;
  }
  page.next_offset = offset + begin;
  if (page.lines.empty() && bytes.size() == kPageBytes && max_lines > 0) {
    if (const auto end = file.end_of_line(offset)) {
      page.lines.push_back(bytes);
      page.next_offset = *end;
    }
  }
  return page;
}

}  // namespace

Page read_page(const std::filesystem::path& file, uint64_t offset, int64_t max_lines) {
  return page_of(OpenFile(file), offset, std::min(max_lines, kMaxPageLines));
}

Page read_tail(const std::filesystem::path& path, int64_t lines) {
  const OpenFile file(path);
  const uint64_t begin = file.size > kPageBytes ? file.size - kPageBytes : 0;
  Page page = page_of(file, begin, std::numeric_limits<int64_t>::max());
  // The first line is cut where the page does not begin at the file's start.
  size_t surplus = begin > 0 && !page.lines.empty() ? 1 : 0;
  const auto wanted = static_cast<size_t>(std::min(lines, kMaxPageLines));
  if (page.lines.size() - surplus > wanted) surplus = page.lines.size() - wanted;
  for (size_t i = 0; i < surplus; ++i) page.offset += page.lines[i].size() + 1;
  page.lines.erase(page.lines.begin(), page.lines.begin() + static_cast<std::ptrdiff_t>(surplus));
  return page;
}

Page requested_page(const Args& args, const std::filesystem::path& file) {
  if (const auto tail = args.integer("tail", 1, kMaxPageLines)) return read_tail(file, *tail);
  const int64_t offset = args.integer_or("offset", 0, 0, std::numeric_limits<int64_t>::max() / 2);
  return read_page(file, static_cast<uint64_t>(offset),
                   args.integer_or("limit", kMaxPageLines, 1, kMaxPageLines));
}

Json json_page(const Page& page) {
  Json rows = Json::array();
  for (const std::string& line : page.lines) {
    try {
      rows.push_back(parse_json(line, "row"));
    } catch (const Error&) {
      // A line that was cut, or that a crash left torn, is no reason to withhold the others.
    }
  }
  return {{"rows", std::move(rows)},
          {"offset", page.offset},
          {"next_offset", page.next_offset},
          {"size", page.size}};
}

}  // namespace rft::control
