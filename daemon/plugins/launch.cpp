#include "plugins/launch.h"

#include <fcntl.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/program_folder.h"
#include "base/unique_fd.h"
#include "plugins/isolation.h"
#include "plugins/secrets.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr char kBubblewrap[] = "/usr/bin/bwrap";
constexpr uint64_t kMaxScratchBytes = kMaxPluginFileBytes;  // of /tmp, and of shared memory

// What a plugin may know of the daemon's environment: enough to find an interpreter and its packages, the
// language and, with the network, its proxies. Everything else (tokens, keys) stays out.
constexpr std::string_view kPassedVariables[] = {
    "PATH",           "HOME",         "USER",         "LOGNAME",
    "LANG",           "LANGUAGE",     "TZ",           "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",    "CONDA_PREFIX", "ASAN_OPTIONS", "UBSAN_OPTIONS",
    "OMP_NUM_THREADS"};
constexpr std::string_view kPassedPrefixes[] = {"LC_", "PYTHON", "PYENV_"};
constexpr std::string_view kProxyVariables[] = {"http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                                "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY"};

bool is_passed(std::string_view name, bool allow_network) {
  for (const auto passed : kPassedVariables)
    if (name == passed) return true;
  for (const auto proxy : kProxyVariables)
    if (allow_network && name == proxy) return true;
  for (const auto prefix : kPassedPrefixes)
    if (name.substr(0, prefix.size()) == prefix) return true;
  return false;
}

Environment plugin_environment(bool allow_network) {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_passed(text.substr(0, equals), allow_network))
      environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.emplace_back("PYTHONDONTWRITEBYTECODE", "1");
  return environment;
}

// The interpreter that was asked for its folders is the one that a script finds, whatever stands before it in
// PATH to choose one.
void put_python_first(Launch& launch) {
  if (launch.view.python.empty()) return;
  for (auto& [name, value] : launch.environment)
    if (name == "PATH") value = fs::path(launch.view.python).parent_path().string() + ":" + value;
}

// It outlives the plugin's processes, and so is made before the first.
void make_state_file(const fs::path& file) {
  if (file.empty()) return;
  fs::create_directories(file.parent_path());
  if (!UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)))
    throw_errno("cannot make " + file.string());
}

}  // namespace

std::vector<std::string> bubblewrap_argv(const HostOptions& options, const View& view) {
  const std::string limit = std::to_string(kMaxScratchBytes);
  std::vector<std::string> argv = {kBubblewrap,  "--unshare-pid", "--unshare-ipc", "--die-with-parent",
                                   "--cap-drop", "ALL",           "--dev",         "/dev",
                                   "--proc",     "/proc",         "--size",        limit,
                                   "--tmpfs",    "/tmp",          "--size",        limit,
                                   "--tmpfs",    "/dev/shm"};
  if (!options.allow_network) argv.emplace_back("--unshare-net");
  for (const auto& path : view.shown) argv.insert(argv.end(), {"--ro-bind", path.string(), path.string()});
  for (const auto& path : view.hidden) {
    if (fs::is_directory(path))
      argv.insert(argv.end(), {"--tmpfs", path.string(), "--remount-ro", path.string()});
    else
      argv.insert(argv.end(), {"--ro-bind", "/dev/null", path.string()});
  }
  if (!options.state_file.empty())
    argv.insert(argv.end(), {"--bind", options.state_file.string(), options.state_file.string()});
  argv.insert(argv.end(), {"--remount-ro", "/dev", "--remount-ro", "/"});
  if (!options.work_dir.empty()) argv.insert(argv.end(), {"--chdir", options.work_dir.string()});
  argv.emplace_back("--");
  return argv;
}

Launch plan_launch(const HostOptions& options, const std::vector<std::string>& arguments) {
  Launch launch;
  make_state_file(options.state_file);
  launch.environment = plugin_environment(options.allow_network);
  launch.secrets = dump_json(read_secrets(options.secrets_file, options.secrets));
  launch.in_namespaces = !options.trusted && available_isolation().namespaces;
  if (!options.trusted) {
    launch.view = view_of(options, launch.environment);
    put_python_first(launch);
  }
  if (launch.in_namespaces) launch.argv = bubblewrap_argv(options, launch.view);
  launch.argv.push_back(fs::weakly_canonical(options.host_program).string());
  launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
  return launch;
}

void require_python(const fs::path& python) {
  if (interpreter_folders(python, plugin_environment(/*allow_network=*/false)).empty())
    throw Error(ErrorCode::invalid_argument, python.string() +
                                                 " does not run as a Python 3 interpreter; try " +
                                                 python.string() + " -c 'import sys; print(sys.prefix)'");
}

fs::path host_program_beside_executable() {
  const fs::path folder = program_folder();
  for (const auto& candidate : {folder / "rft-plugin-host", folder / "../lib/rftd/rft-plugin-host"})
    if (fs::exists(candidate)) return candidate.lexically_normal();
  throw Error(ErrorCode::not_found,
              "rft-plugin-host is not beside " + folder.string() + ": the installation is not complete");
}

}  // namespace rft::plugins
