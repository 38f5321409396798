// The processes of this machine, as /proc shows them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace rft {

struct SeenProcess {
  pid_t pid;
  std::string command_line;              // its words, a NUL after each; empty once it is gone
  std::filesystem::path working_folder;  // likewise
};

inline std::vector<SeenProcess> all_processes() {
  std::vector<SeenProcess> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    // One that ends meanwhile is no error: read() tells, where an iterator over the file would throw.
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::string line(1 << 16, '\0');
    file.read(line.data(), static_cast<std::streamsize>(line.size()));
    line.resize(static_cast<size_t>(file.gcount()));
    std::error_code gone;
    found.push_back(
        {std::stoi(pid), std::move(line), std::filesystem::read_symlink(entry.path() / "cwd", gone)});
  }
  return found;
}

}  // namespace rft
