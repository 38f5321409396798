#include "plugins/pinned_scorer.h"

#include <algorithm>
#include <string>

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

// By its place in the job and its name: the same scorer with other options, as after a swap, goes on with it.
std::string state_name(const config::PinnedScorer& scorer) {
  std::string name = scorer.name.empty() ? scorer.plugin : scorer.name + "-" + scorer.plugin;
  std::ranges::replace(name, '/', '_');
  return name;
}

}  // namespace

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
  options.state_file = folder / "scorer-state" / state_name(scorer);
  options.num_hosts = plan.scorer.hosts;
  options.failed_input = folder / "failed-input.jsonl";
  return options;
}

}  // namespace rft::plugins
