#include "plugins/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/nearest.h"
#include "base/unique_fd.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxBytes = 1 << 20;

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw Error(ErrorCode::unsupported, file.string() + ": " + what);
}

// Throws unless the file is for the daemon's user alone.
void require_private(const fs::path& file, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_errno("cannot look at " + file.string());
  if (!S_ISREG(info.st_mode)) refuse(file, "secrets are read from a regular file alone");
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    refuse(file, "it belongs to another user; chown it to the one that rftd runs as");
  if ((info.st_mode & 077) != 0)
    refuse(file, "others may read or write it, and it holds secrets; chmod 600 " + file.string());
  if (static_cast<size_t>(info.st_size) > kMaxBytes) refuse(file, "larger than 1 MiB; these are no secrets");
}

std::string read_private(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT)
    refuse(file,
           "there is no such file; make it with mode 600, such as "
           R"({"openai": {"url": "https://…", "headers": {"Authorization": "Bearer …"}}})");
  if (!fd) refuse(file, std::strerror(errno));
  require_private(file, fd.get());
  std::string text(kMaxBytes, '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) throw_errno("cannot read " + file.string());
  text.resize(static_cast<size_t>(got));
  return text;
}

// The parser's own words would quote what stands there.
Json parse_secrets(const fs::path& file, const std::string& text) {
  try {
    Json all = Json::parse(text);
    if (!all.is_object()) refuse(file, "it must hold an object of named secrets");
    return all;
  } catch (const Json::parse_error& error) {
    const size_t end = std::min(error.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    refuse(file, "not valid JSON at line " + std::to_string(line));
  }
}

}  // namespace

Json read_secrets(const fs::path& file, const std::vector<std::string>& names) {
  Json secrets = Json::object();
  if (names.empty()) return secrets;
  const Json all = parse_secrets(file, read_private(file));
  std::vector<std::string> known;
  for (const auto& [name, secret] : all.items()) known.push_back(name);
  for (const std::string& name : names) {
    if (!all.contains(name)) refuse(file, "it holds no secret \"" + name + "\"" + did_you_mean(name, known));
    if (!all.at(name).is_object())
      refuse(file, "\"" + name + R"(" must be an object, such as {"url": "https://…", "headers": {…}})");
    secrets[name] = all.at(name);
  }
  return secrets;
}

}  // namespace rft::plugins
