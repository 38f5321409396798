#include "plugins/launch.h"

#include <cstdlib>
#include <cstring>
#include <set>
#include <string_view>

#include "base/error.h"
#include "plugins/isolation.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr char kBubblewrap[] = "/usr/bin/bwrap";

// What a plugin may know of the daemon's environment: enough to find an interpreter and its packages, and the
// language. Everything else (tokens, keys, proxies) stays out.
constexpr std::string_view kPassedVariables[] = {
    "PATH",           "HOME",         "USER",         "LOGNAME",
    "LANG",           "LANGUAGE",     "TZ",           "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",    "CONDA_PREFIX", "ASAN_OPTIONS", "UBSAN_OPTIONS",
    "OMP_NUM_THREADS"};
constexpr std::string_view kPassedPrefixes[] = {"LC_", "PYTHON", "PYENV_"};

bool is_passed(std::string_view name) {
  for (const auto passed : kPassedVariables)
    if (name == passed) return true;
  for (const auto prefix : kPassedPrefixes)
    if (name.substr(0, prefix.size()) == prefix) return true;
  return false;
}

std::vector<std::pair<std::string, std::string>> plugin_environment() {
  std::vector<std::pair<std::string, std::string>> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_passed(text.substr(0, equals)))
      environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.emplace_back("PYTHONDONTWRITEBYTECODE", "1");
  return environment;
}

// /tmp is an empty one of the plugin's own; what lies below the real one and is needed is shown in it.
void show_below_tmp(std::vector<std::string>& argv, const HostOptions& options) {
  std::set<fs::path> needed = {fs::weakly_canonical(options.host_program).parent_path().parent_path(),
                               options.plugin_path.parent_path(), options.work_dir};
  if (!options.python.empty()) needed.insert(options.python.parent_path().parent_path());
  for (const auto& path : needed)
    if (path.string().rfind("/tmp/", 0) == 0)
      argv.insert(argv.end(), {"--ro-bind", path.string(), path.string()});
}

}  // namespace

std::vector<std::string> bubblewrap_argv(const HostOptions& options) {
  std::vector<std::string> argv = {
      kBubblewrap,        "--ro-bind", "/",       "/",    "--dev",         "/dev",
      "--proc",           "/proc",     "--tmpfs", "/tmp", "--unshare-pid", "--unshare-ipc",
      "--die-with-parent"};
  if (!options.allow_network) argv.emplace_back("--unshare-net");
  show_below_tmp(argv, options);
  if (!options.work_dir.empty()) argv.insert(argv.end(), {"--chdir", options.work_dir.string()});
  argv.emplace_back("--");
  return argv;
}

Launch plan_launch(const HostOptions& options) {
  Launch launch;
  launch.in_namespaces = !options.trusted && available_isolation().namespaces;
  if (launch.in_namespaces) launch.argv = bubblewrap_argv(options);
  launch.argv.insert(launch.argv.end(), {fs::weakly_canonical(options.host_program).string(), "serve"});
  launch.environment = plugin_environment();
  return launch;
}

fs::path host_program_beside_executable() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  for (const auto& candidate : {folder / "rft-plugin-host", folder / "../lib/rftd/rft-plugin-host"})
    if (fs::exists(candidate)) return candidate.lexically_normal();
  throw Error(ErrorCode::not_found,
              "rft-plugin-host is not beside " + folder.string() + ": the installation is not complete");
}

}  // namespace rft::plugins
