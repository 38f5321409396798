// Plugins that took their process down or hung: no new job gets such a plugin until it is released. Known by
// the digest of its bytes, so that a mended file is another plugin. All of it is files, so that a restart
// changes nothing, and any thread may look at any time:
//
//   FOLDER/<digest>/report.json   what happened
//   FOLDER/<digest>/input.jsonl   what it was asked, as `rft-plugin-host` reads it; empty: it was being
//   loaded
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "plugins/host_options.h"

namespace rft::plugins {

struct QuarantineReport {
  std::string digest;
  std::string name;     // as its job named it
  std::string failure;  // a PluginFailure's name
  std::string reason;   // in the words of the job
  int64_t job = 0;
  std::string at;               // UTC, "2026-01-31T09:00:00Z"
  std::filesystem::path input;  // the kept one
  std::string command;          // reproduces it, for a shell
};

Json to_json(const QuarantineReport& report);

// What a job that names it is told, with the commands that say more and that release it.
std::string why_refused(const QuarantineReport& report);

// Whether a plugin that failed so is put into quarantine. What it throws or answers is data, and not in here.
bool calls_for_quarantine(const std::string& failure);

class Quarantine {
 public:
  explicit Quarantine(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Puts a plugin of kind `role` that ran as `options` say into quarantine, where its failure calls for it,
  // and keeps a copy of options.failed_input. The first report of a digest stays. `report` needs digest,
  // failure, reason, job.
  void add(QuarantineReport report, const HostOptions& options, const std::string& role) const;
  std::optional<QuarantineReport> find(const std::string& digest) const;
  // Those of that name, or whose digest begins so (8 digits or more). Sorted by digest.
  std::vector<QuarantineReport> named(const std::string& name_or_digest) const;
  std::vector<QuarantineReport> all() const;
  void release(const std::string& digest) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace rft::plugins
