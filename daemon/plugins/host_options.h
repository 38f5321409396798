// How a plugin's host process is started; shared by scorers and adapters.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::plugins {

// Processes and threads of one plugin: enough for a pool of threads on a large machine, too few for a fork
// bomb to be felt.
inline constexpr int kMaxPluginProcesses = 1024;

// Of each file that a plugin writes: its state, and what is in its /tmp, which holds no more in all.
inline constexpr uint64_t kMaxPluginFileBytes = uint64_t{1} << 30;

struct HostOptions {
  std::filesystem::path host_program;  // rft-plugin-host; see host_program_beside_executable()
  std::filesystem::path plugin_path;   // absolute: the pinned copy
  std::string kind = "shared_object";  // shared_object | python | command
  Json options = Json::object();       // [scorer] options, handed to the plugin as JSON text
  double timeout_s = 10;               // deadline of one batch, monotonic
  std::filesystem::path work_dir;      // the process's working folder, the plugin's only one; empty: "/"
  std::filesystem::path stderr_file;   // what the plugin prints, up to kMaxPrintedBytes; empty: the parent's

  std::filesystem::path
      failed_input;  // where what it was asked is kept when it crashes or hangs; empty: nowhere

  std::string name;  // as the job names the plugin, for messages; empty: the file's name
  // What the plugin keeps for its later processes and those beside it; see docs/scorers.md. Empty: nothing.
  std::filesystem::path state_file;
  int64_t num_hosts = 1;  // processes of it that work at the same time

  double start_timeout_s = 60;                      // deadline of loading and creating it
  uint64_t memory_limit_bytes = uint64_t{4} << 30;  // of private memory; 0: none
  bool allow_network = false;                       // granted by the daemon's configuration, never by the job
  std::vector<std::string> secrets;                 // granted like it: their names in `secrets_file`
  std::filesystem::path secrets_file;
  bool trusted = false;          // granted like it: no namespaces and no system call filter
  std::filesystem::path python;  // interpreter for kind python; empty: python3 of PATH
};

// rft-plugin-host as built or installed with the running program: beside it, or in ../lib/rftd. Throws
// Error(not_found).
std::filesystem::path host_program_beside_executable();

}  // namespace rft::plugins
