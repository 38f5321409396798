#include "plugins/view.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "base/pipe.h"
#include "base/subprocess.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr int kInterpreterTimeoutMs = 10'000;
constexpr const char* kSystem[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/sys/devices/system/cpu"};
// Variables of the plugin's environment that name folders which it needs then.
constexpr const char* kFolderVariables[] = {"PATH",       "LD_LIBRARY_PATH", "PYTHONPATH",  "PYTHONHOME",
                                            "PYENV_ROOT", "VIRTUAL_ENV",     "CONDA_PREFIX"};
constexpr const char* kAskInterpreter =
    "import sys\n"
    "print(sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sys.path,"
    " sep='\\n')";

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

std::string value_of(const Environment& environment, const std::string& name) {
  for (const auto& [key, value] : environment)
    if (key == name) return value;
  return "";
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

// What of /etc the daemon's user may read and not everybody may. Looked for once: a plugin that is started
// later sees no more than one that is started now, but for files that are new.
const std::vector<fs::path>& private_configuration() {
  static const std::vector<fs::path> found = [] {
    std::vector<fs::path> paths;
    std::error_code error;
    for (fs::recursive_directory_iterator it("/etc", fs::directory_options::skip_permission_denied, error),
         end;
         !error && it != end; it.increment(error)) {
      const fs::file_status status = it->symlink_status(error);
      if (error || fs::is_symlink(status)) continue;
      if ((status.permissions() & fs::perms::others_read) != fs::perms::none) continue;
      paths.push_back(it->path());
      if (fs::is_directory(status)) it.disable_recursion_pending();
    }
    return paths;
  }();
  return found;
}

// The folders of each step from a program's name to its file.
void add_links(const fs::path& program, std::set<fs::path>& paths) {
  std::error_code error;
  fs::path step = program;
  for (int i = 0; i < 16 && !step.empty(); ++i) {
    paths.insert(step.parent_path());
    const fs::path target = fs::read_symlink(step, error);
    if (error) break;
    step = (target.is_absolute() ? target : step.parent_path() / target).lexically_normal();
  }
}

std::vector<std::string> ask_interpreter(const std::string& python, const Environment& environment) {
  Pipe said;
  ProcessOptions process;
  process.argv = {"/usr/bin/env", python, "-c", kAskInterpreter};
  process.environment = environment;
  process.inherit_environment = false;
  process.working_directory = "/";
  process.stderr_file = "/dev/null";
  process.descriptors = {{said.write.get(), 1}};
  Subprocess child(process);
  said.write.reset();
  const auto status = child.wait(kInterpreterTimeoutMs);
  if (!status || status->exit_code != 0) return {};
  std::string text(1 << 16, '\0');  // as much as a pipe holds
  const ssize_t got = ::read(said.read.get(), text.data(), text.size());
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  std::vector<std::string> lines = split(text, '\n');
  if (lines.empty() || !fs::path(lines.front()).is_absolute()) return {};
  return lines;
}

// The folders of the interpreter that a command's first line names. The line is the job's word, and so may
// the program be: it is never run to learn of it, and only what surrounds a program that exists is shown.
void add_named_interpreter(const fs::path& program, std::set<fs::path>& paths) {
  std::error_code error;
  if (!fs::is_regular_file(program, error) || ::access(program.c_str(), X_OK) != 0) return;
  std::set<fs::path> folders;
  add_links(program, folders);
  paths.insert(folders.begin(), folders.end());
  if (!program.filename().string().starts_with("python")) return;
  for (const fs::path& folder : folders)
    for (const char* part : {"lib", "lib64", "pyvenv.cfg"}) paths.insert(folder.parent_path() / part);
}

void add_script(const HostOptions& options, const Environment& environment, std::set<fs::path>& paths,
                View& view) {
  if (options.kind == "command") add_named_interpreter(named_interpreter(options.plugin_path), paths);
  const std::string python = options.python.empty() ? "python3" : options.python.string();
  const auto folders = interpreter_folders(python, environment);
  if (folders.empty()) return;
  view.python = folders.front();
  add_links(view.python, paths);
  paths.insert(folders.begin() + 1, folders.end());
}

// Where the name of a machine is looked up: a link into /run on many.
void add_resolver(std::set<fs::path>& paths) {
  std::error_code error;
  if (const fs::path file = fs::canonical("/etc/resolv.conf", error); !error) paths.insert(file);
}

// A folder that holds the plugin's store, the job, or a user's home is never shown whole.
bool is_too_much(const fs::path& path, const HostOptions& options, const std::string& home) {
  return lies_in(options.plugin_path, path) || lies_in(options.work_dir, path) ||
         (!home.empty() && lies_in(home, path)) || lies_in(path, "/proc") || lies_in(path, "/dev") ||
         path == "/tmp";
}

}  // namespace

std::vector<std::string> interpreter_folders(const std::string& python, const Environment& environment) {
  static std::mutex mutex;
  static std::map<std::string, std::vector<std::string>> known;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(python); found != known.end()) return found->second;
  std::vector<std::string> folders = ask_interpreter(python, environment);
  if (!folders.empty()) known[python] = folders;
  return folders;
}

fs::path named_interpreter(const fs::path& file) {
  char beginning[256] = {};
  std::ifstream(file, std::ios::binary).read(beginning, sizeof beginning - 1);
  const std::string_view line = std::string_view(beginning).substr(0, std::string_view(beginning).find('\n'));
  if (!line.starts_with("#!")) return {};
  const size_t begin = std::min(line.find_first_not_of(" \t", 2), line.size());
  return line.substr(begin, line.find_first_of(" \t", begin) - begin);
}

View view_of(const HostOptions& options, const Environment& environment) {
  View view;
  view.hidden = private_configuration();
  const fs::path host = fs::weakly_canonical(options.host_program);
  std::set<fs::path> wanted(std::begin(kSystem), std::end(kSystem));
  for (const char* variable : kFolderVariables)
    for (const std::string& folder : split(value_of(environment, variable), ':')) wanted.insert(folder);
  if (options.kind != "shared_object") add_script(options, environment, wanted, view);
  if (options.allow_network) add_resolver(wanted);

  std::set<fs::path> paths = {host, host.parent_path().parent_path() / "share/rftd/python_shim.py",
                              options.plugin_path, options.work_dir};
  for (const fs::path& path : wanted)
    for (const fs::path& either : {path.lexically_normal(), fs::weakly_canonical(path)})
      if (either.is_absolute() && !is_too_much(either, options, value_of(environment, "HOME")))
        paths.insert(either);
  std::error_code error;
  for (const fs::path& path : paths)  // parents come before what is inside them
    if (!path.empty() && fs::exists(path, error) && (view.shown.empty() || !lies_in(path, view.shown.back())))
      view.shown.push_back(path);
  return view;
}

}  // namespace rft::plugins
