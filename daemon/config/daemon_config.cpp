#include "config/daemon_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "config/key_table.h"

namespace rft::config {
namespace {

std::vector<Key> daemon_keys(DaemonConfig& daemon) {
  auto& [log, intake, capacity, plugins, retry, worker, lines] = daemon;
  return {
      {"log",
       "level",
       &log.level,
       {.choices = {"debug", "info", "warning", "error"}},
       "The least severe message that is logged."},
      {"log",
       "format",
       &log.format,
       {.choices = {"auto", "text", "json"}},
       "How the log on stderr looks; auto: text in a terminal, one JSON object a line elsewhere."},

      {"intake", "settle_s", &intake.settle_s, above(0),
       "Seconds without a change after which a folder in incoming/, or a plugin's file, is taken as "
       "complete."},
      {"intake", "max_folder_mb", &intake.max_folder_mb, at_least(1),
       "Megabytes that a job folder may hold."},
      {"intake", "max_files", &intake.max_files, at_least(1), "Files that a job folder may hold."},

      {"capacity", "cores", &capacity.cores, at_least(0),
       "CPU cores that jobs may take together; 0: all of the machine's."},
      {"capacity", "memory_gb", &capacity.memory_gb, at_least(0),
       "Memory that jobs may take together, in GB; 0: all of the machine's, or of the cgroup around the "
       "daemon."},
      {"capacity", "gpus", &capacity.gpus, {}, "Whether jobs may use the GPUs that the driver reports."},

      {"plugins",
       "trusted",
       &plugins.trusted,
       {},
       "Plugins that run without isolation, with all that the daemon's user may do: SHA-256 digests (as "
       "`rftctl plugins ls --json` shows them), names or absolute paths of registered plugins, or \"*\" for "
       "every one. Where a machine cannot isolate (see rftctl doctor), a plugin that is neither shipped nor "
       "named here is refused."},
      {"plugins",
       "network",
       &plugins.network,
       {},
       "Plugins that may use the network when their job asks for it ([scorer] network = true), named in the "
       "same ways. A job that asks for any other is rejected."},
      {"plugins",
       "python",
       &plugins.python,
       {},
       "Python interpreters of scorers and adapters, by their absolute paths, such as "
       "\"/opt/venv/bin/python\": the first runs them, and a job may ask for another ([scorer] python, "
       "[data] "
       "python). None: python3 of the daemon's PATH."},
      {"plugins",
       "secrets",
       &plugins.secrets,
       {},
       "Plugins that may have a secret of HOME/secrets.json when their job asks for it ([scorer] secrets), "
       "named in the same ways: { openai = [\"judge\"] }."},

      {"retry", "first_delay_s", &retry.first_delay_s, above(0),
       "Seconds before the second attempt of a failed job; doubled for each further one."},
      {"retry", "max_delay_s", &retry.max_delay_s, above(0), "The longest such delay, in seconds."},

      {"worker", "connect_timeout_s", &worker.connect_timeout_s, above(0),
       "Seconds that a worker has from its start to its first message."},
      {"worker", "stop_timeout_s", &worker.stop_timeout_s, above(0),
       "Seconds that a worker has to write a resume point when paused, stopped or cancelled; then it is "
       "killed."},
  };
}

// Each secret's plugins as a list, where its owner may have written a single name.
void normalise_grants(Json& secrets, const std::string& where) {
  const auto is_text = [](const Json& value) { return value.is_string(); };
  for (auto& [secret, plugins] : secrets.items()) {
    if (plugins.is_string()) plugins = Json::array({plugins});
    if (!plugins.is_array() || !std::all_of(plugins.begin(), plugins.end(), is_text))
      throw Error(ErrorCode::invalid_argument,
                  fmt::format("{}[plugins] secrets: {} must be a list of plugins, such as [\"judge\"]", where,
                              secret));
  }
}

const std::vector<RefusedKey>& refused_daemon_keys() {
  static const std::vector<RefusedKey> keys = {
      {"", "tcp",
       "this version serves only the sockets in HOME/run; leave the section out, and reach them over ssh"},
  };
  return keys;
}

// A path is taken as it is written: resolved, that of a virtual environment would be the system's Python.
void check_python(const DaemonConfig& daemon) {
  for (const std::filesystem::path python : daemon.plugins.python) {
    const auto fail = [&](const char* what) {
      throw Error(ErrorCode::invalid_argument,
                  fmt::format("{}[plugins] python = \"{}\": {}", daemon.lines.where("plugins", "python"),
                              python.string(), what),
                  "python");
    };
    if (!python.is_absolute()) fail("give the absolute path of an interpreter, such as /opt/venv/bin/python");
    if (!std::filesystem::exists(python)) fail("there is no such file; correct the path");
    if (!std::filesystem::is_regular_file(python) || ::access(python.c_str(), X_OK) != 0)
      fail(
          "it is no program that the daemon's user may run; give the interpreter, such as bin/python of a "
          "virtual environment");
  }
}

}  // namespace

DaemonConfig read_daemon_config(const std::filesystem::path& file) {
  DaemonConfig daemon;
  if (!std::filesystem::exists(file)) return daemon;
  daemon.lines = read_toml(file, daemon_keys(daemon), refused_daemon_keys());
  if (daemon.retry.max_delay_s < daemon.retry.first_delay_s)
    throw Error(ErrorCode::invalid_argument,
                daemon.lines.where("retry", "max_delay_s") +
                    "[retry] max_delay_s is below first_delay_s; raise it or lower the other");
  check_python(daemon);
  normalise_grants(daemon.plugins.secrets, daemon.lines.where("plugins", "secrets"));
  return daemon;
}

std::string daemon_config_example() {
  DaemonConfig defaults;
  std::string out =
      "# The configuration of rftd: copy it to HOME/rftd.toml and change what should differ. Every key is "
      "optional;\n"
      "# each stands here with its default. It is read once, when the daemon starts.\n";
  std::string_view section;
  for (const auto& key : daemon_keys(defaults)) {
    if (key.section != section) {
      section = key.section;
      out += fmt::format("\n[{}]\n", section);
    }
    out +=
        fmt::format("# {} ({})\n#{} = {}\n", key.meaning, range_text(key), key.name, value_text(key.member));
  }
  return out;
}

}  // namespace rft::config
