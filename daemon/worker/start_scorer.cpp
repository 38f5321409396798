#include "worker/start_scorer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugins/composite_scorer.h"
#include "plugins/composition.h"
#include "plugins/isolation.h"
#include "plugins/pinned_scorer.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

std::unique_ptr<plugins::Scorer> start_scorer(const config::JobConfig& config, const JobFolder& folder,
                                              const fs::path& host_program) {
  std::vector<std::pair<std::string, plugins::ScorerOptions>> scorers;
  for (const config::PinnedScorer& pinned : config::pinned_scorers(config)) {
    // What was there at the admission may be gone since.
    if (!pinned.trusted) plugins::require_isolation(plugins::available_isolation(), pinned.digest);
    scorers.emplace_back(pinned.name, plugins::options_of(pinned, config, folder.root, host_program));
  }
  if (config.scorer.plugin != plugins::kComposite)
    return std::make_unique<plugins::ScorerHost>(std::move(scorers.at(0).second));
  return std::make_unique<plugins::CompositeScorer>(plugins::parse_composition(config.scorer.options).formula,
                                                    std::move(scorers));
}

}  // namespace

ScorerPool::Start hosts_of(const config::JobConfig& config, const JobFolder& folder,
                           const fs::path& host_program) {
  return [=] { return start_scorer(config, folder, host_program); };
}

config::JobConfig with_scorer(config::JobConfig config, const protocol::ScorerSwap& swap) {
  config::set_scorer(config, swap.plugin, swap.options, swap.scorers, swap.settings);
  return config;
}

}  // namespace rft::worker
