// Whether a taken folder can be a job, and what exactly that job is: its configuration, model, plugins and
// every line of its data are looked at, and what is decided is written down. After that the worker needs
// nothing that the owner could still change:
//
//   jobs/17-fraud/input/            as dropped
//   jobs/17-fraud/data/*.jsonl      canonical records: train, validation, and where asked for test and warmup
//   jobs/17-fraud/grader/*.py       the Python sources of a grader, where there are some
//   jobs/17-fraud/plan.toml         every value resolved
//   jobs/17-fraud/manifest.sha256   of all of these, as sha256sum checks it
//   jobs/17-fraud/memory.json       what it will hold in memory, as estimated
//   jobs/17-fraud/admission.log     what its plugins printed meanwhile
//
// It may take long (an adapter runs over the data, each scorer is started once) and may be called from
// several threads at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <variant>

#include "base/error.h"
#include "config/daemon_config.h"
#include "config/job_config.h"
#include "engine/model/model_summary.h"
#include "jobs/home.h"
#include "jobs/plugin_watch.h"
#include "jobs/scorer_swaps.h"
#include "memory/estimate.h"
#include "plugins/composition.h"
#include "plugins/plugin_error.h"
#include "plugins/quarantine.h"
#include "plugins/trust.h"

namespace rft::jobs {

struct Admitted {
  config::JobConfig plan;
  std::string manifest_digest;  // SHA-256 of manifest.sha256
  memory::Estimate memory;
};

// The job names a plugin whose file still settles: to be called again when it has.
struct PluginSettles {
  std::string name;
};

class Admission {
 public:
  Admission(const Home& home, std::filesystem::path host_program, const PluginWatch& plugins,
            const config::PluginsConfig& permitted);

  // `folder` holds input/. What an earlier, broken-off admission left there is replaced. Throws Error with
  // the reason for a rejection: file, line and mend, paths relative to the job folder; Error(io | resource)
  // when it is not the folder's fault.
  std::variant<Admitted, PluginSettles> admit(int64_t id, const std::filesystem::path& folder);

  // The scorer that is to take the place of an admitted job's own, under the same rules and pinned like it;
  // without a number. `folder` is the job's. Throws Error.
  std::variant<protocol::ScorerSwap, PluginSettles> admit_swap(const std::filesystem::path& folder,
                                                               const ScorerChoice& choice,
                                                               const ScorerSwaps& before) const;

 private:
  struct Permitted {
    plugins::ResolvedPlugin plugin;
    bool unconfined = false;
  };
  // `where` stands before what is wrong with the plugin.
  Permitted resolve(const std::string& where, const std::string& name, const std::filesystem::path& input,
                    const std::string& kind) const;
  // Starts each scorer once, as the worker will: what does not load, or refuses its options, is refused now,
  // and what it holds in memory then is noted.
  void try_scorers(int64_t id, config::JobConfig& job, const std::filesystem::path& folder) const;
  // Writes data/.
  void convert_data(int64_t id, const config::JobConfig& job, const Permitted& adapter,
                    const std::filesystem::path& folder) const;
  // The interpreter for `[section] python = "asked"`.
  std::string permitted_python(const config::JobConfig& job, const char* section,
                               const std::string& asked) const;
  // Throws unless the daemon's owner grants the scorer what is asked for it.
  void require_granted(const config::JobConfig& job, const plugins::Part& part,
                       const plugins::ResolvedPlugin& scorer) const;
  // Resolves and pins the job's scorer, or each scorer of a "multi"; `files` holds those that travel along.
  void pin_scorers(config::JobConfig& job, const std::filesystem::path& files) const;
  std::filesystem::path find_model(const config::JobConfig& job, const std::filesystem::path& input);
  std::filesystem::path find_adapter(const config::JobConfig& job, const engine::ModelConfig& model,
                                     const std::filesystem::path& input) const;
  std::filesystem::path locate_model(const std::string& path, const std::filesystem::path& input) const;
  engine::ModelSummary check_model_once(const std::filesystem::path& model);

  std::filesystem::path models_;
  std::filesystem::path secrets_;
  std::filesystem::path host_program_;
  const PluginWatch& plugins_;
  plugins::Quarantine quarantine_;
  plugins::Trust trust_;
  std::mutex mutex_;  // of what is remembered
  std::map<std::filesystem::path, std::pair<std::string, engine::ModelSummary>>
      checked_;  // with the files' identity
};

// The daemon's verdict on a path is the same for every job that fails because of the machine and not the
// folder.
bool is_of_the_machine(ErrorCode code);

}  // namespace rft::jobs
