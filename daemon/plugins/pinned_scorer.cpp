#include "plugins/pinned_scorer.h"

namespace rft::plugins {
namespace fs = std::filesystem;

HostOptions options_of(const config::PinnedScorer& scorer, const config::JobConfig& plan,
                       const fs::path& folder, const fs::path& host_program) {
  HostOptions options;
  options.host_program = host_program;
  options.plugin_path = scorer.path;
  options.kind = scorer.kind;
  options.name = scorer.plugin;
  options.options = scorer.options;
  options.python = scorer.python;
  options.trusted = scorer.trusted;
  options.timeout_s = plan.scorer.timeout_s;
  options.allow_network = scorer.network;
  options.secrets = scorer.secrets;
  options.secrets_file = plan.resolved.secrets_file;
  if (fs::is_directory(folder / "input")) options.work_dir = fs::absolute(folder / "input");
  options.stderr_file = folder / "scorer.log";
  options.failed_input = folder / "failed-input.jsonl";
  return options;
}

}  // namespace rft::plugins
