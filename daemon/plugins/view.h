// What of this machine's files a plugin sees, all of it read-only: the system's programs and libraries, its
// own file and work folder, and for a script the folders of its interpreter and of the environment that it
// gets. Not in it: the home of the daemon, other jobs, homes of users, /var, /run, and of /etc whatever not
// everybody on the machine may read.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "plugins/host_options.h"

namespace rft::plugins {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct View {
  std::vector<std::filesystem::path> shown;   // files and folders, none inside another, sorted
  std::vector<std::filesystem::path> hidden;  // of what lies inside them
  std::string python;  // the interpreter itself, where `shown` has its folders; empty for a shared object
};

// `environment` is the plugin's. For a script its Python is asked for its folders, once in the life
// of this process; the program that a command's first line names is looked at and never run. Thread-safe.
View view_of(const HostOptions& options, const Environment& environment);

// What that Python says of itself: its own path, then the folders that it needs. Empty: it does not run as
// one, and is asked again the next time. It runs outside the sandbox: `python` is never a job's choice.
std::vector<std::string> interpreter_folders(const std::string& python, const Environment& environment);

// The program that a script's first line names, as the kernel reads it; empty: it names none.
std::filesystem::path named_interpreter(const std::filesystem::path& file);

}  // namespace rft::plugins
