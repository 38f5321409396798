#include "worker/start_scorer.h"

#include <string>
#include <utility>
#include <vector>

#include "plugins/composite_scorer.h"
#include "plugins/composition.h"
#include "plugins/isolation.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

plugins::ScorerOptions scorer_options_of(const config::PinnedScorer& pinned, const config::JobConfig& config,
                                         const JobFolder& folder, const fs::path& host_program) {
  plugins::ScorerOptions scorer;
  scorer.host_program = host_program;
  scorer.plugin_path = pinned.path;
  scorer.kind = pinned.kind;
  scorer.trusted = pinned.trusted;
  // What was there at the admission may be gone since.
  if (!scorer.trusted) plugins::require_isolation(plugins::available_isolation(), pinned.digest);
  scorer.allow_network = config.scorer.network;  // else the job would not have been admitted
  scorer.options = pinned.options;
  scorer.timeout_s = config.scorer.timeout_s;
  // Where a script finds the files that travel with it.
  if (fs::is_directory(folder.input())) scorer.work_dir = fs::absolute(folder.input());
  scorer.stderr_file = folder.scorer_log();
  scorer.failed_input = folder.root / "failed-input.jsonl";
  scorer.name = pinned.plugin;
  return scorer;
}

}  // namespace

std::unique_ptr<plugins::Scorer> start_scorer(const config::JobConfig& config, const JobFolder& folder,
                                              const fs::path& host_program) {
  std::vector<std::pair<std::string, plugins::ScorerOptions>> scorers;
  for (const config::PinnedScorer& pinned : config::pinned_scorers(config))
    scorers.emplace_back(pinned.name, scorer_options_of(pinned, config, folder, host_program));
  if (config.scorer.plugin != plugins::kComposite)
    return std::make_unique<plugins::ScorerHost>(std::move(scorers.at(0).second));
  return std::make_unique<plugins::CompositeScorer>(plugins::parse_composition(config.scorer.options).formula,
                                                    std::move(scorers));
}

config::JobConfig with_scorer(config::JobConfig config, const protocol::ScorerSwap& swap) {
  config.scorer.plugin = swap.plugin;
  config.scorer.options = swap.options;
  config.resolved.scorers = swap.scorers;
  return config;
}

}  // namespace rft::worker
