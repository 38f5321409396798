// The daemon's own configuration, HOME/rftd.toml: plain values with their defaults, bound to their keys in
// one table (daemon_config.cpp). etc/rftd.toml shows every key. Every value is optional, and so is the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "config/key_lines.h"

namespace rft::config {

struct LogConfig {
  std::string level = "info";   // debug | info | warning | error
  std::string format = "auto";  // auto | text | json; auto: text in a terminal, json elsewhere
};

struct IntakeConfig {
  double settle_s = 2;  // a dropped folder is taken when nothing in it changed for so long
  int64_t max_folder_mb = 65536;
  int64_t max_files = 100000;
};

struct CapacityConfig {
  int64_t cores = 0;     // given to jobs at the same time; 0: all of the machine's
  double memory_gb = 0;  // given to jobs at the same time; 0: all that the daemon's cgroup and machine have
  bool gpus = true;      // whether GPUs are used
};

struct PluginsConfig {
  std::vector<std::string> trusted;  // what runs without isolation: digests, names, paths, or "*"
  std::vector<std::string> network;  // what may use the network when its job asks, named likewise
  std::vector<std::string> python;  // interpreters, absolute; the first is the default. None: python3 of PATH
  Json secrets = Json::object();    // a secret's name: what may have it, a list likewise
};

struct RetryDelayConfig {
  double first_delay_s = 10;  // doubled after each further failed attempt
  double max_delay_s = 600;
};

struct WorkerConfig {
  double connect_timeout_s = 120;  // from its start to its first message
  double stop_timeout_s = 60;      // for a pause, stop or cancel, after which it is killed
};

struct DaemonConfig {
  LogConfig log;
  IntakeConfig intake;
  CapacityConfig capacity;
  PluginsConfig plugins;
  RetryDelayConfig retry;
  WorkerConfig worker;
  KeyLines lines;  // of the file that it was read from
};

// Throws Error(invalid_argument) "FILE:LINE: what is wrong; the mend". A missing file gives the defaults.
DaemonConfig read_daemon_config(const std::filesystem::path& file);
// Every key with its default, as a file that read_daemon_config accepts; each line but the sections' is a
// comment, above it the key's meaning.
std::string daemon_config_example();

}  // namespace rft::config
