#include "worker/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "engine/model/export_model.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

std::string checkpoint_name(int64_t iteration) { return fmt::format("iteration-{:06}", iteration); }

void write_checkpoint(Run& run, int64_t iteration) {
  if (!run.ranks.first()) return;
  const fs::path target = run.folder.checkpoints() / checkpoint_name(iteration);
  fs::create_directories(run.folder.checkpoints());
  fs::remove_all(target);  // of an attempt that ended before it could save the state that names it
  const fs::path& base = run.config.resolved.model_path;
  if (const engine::LoraAdapter* adapter = run.policy->adapter())
    engine::write_adapter(*adapter, run.policy->config(), base, target);
  else
    engine::export_model(*run.policy, base, target);
}

void copy_folder(const fs::path& source, const fs::path& target) {
  const fs::path temporary = target.parent_path() / ("." + target.filename().string() + ".tmp");
  fs::remove_all(temporary);
  fs::copy(source, temporary, fs::copy_options::recursive);
  publish_folder(temporary, target);
}

}  // namespace

void keep_checkpoint(Run& run, double value) {
  RunState& state = run.state;
  auto& kept = state.checkpoints;
  const auto place = std::find_if(kept.begin(), kept.end(),
                                  [&](const CheckpointEntry& entry) { return entry.value < value; });
  const auto rank = place - kept.begin();
  if (rank >= run.config.checkpoint.keep) return;
  write_checkpoint(run, state.iteration);
  kept.insert(place, {state.iteration, value});
  if (static_cast<int64_t>(kept.size()) > run.config.checkpoint.keep) kept.pop_back();
  run.reporter.send({{"type", "checkpoint"},
                     {"iteration", state.iteration},
                     {"path", "checkpoints/" + checkpoint_name(state.iteration)},
                     {"value", value},
                     {"best", rank == 0}});
}

void prune_checkpoints(Run& run) {
  if (!run.ranks.first() || !fs::exists(run.folder.checkpoints())) return;
  std::vector<std::string> named;
  for (const CheckpointEntry& entry : run.state.checkpoints)
    named.push_back(checkpoint_name(entry.iteration));
  std::vector<fs::path> unnamed;
  for (const auto& entry : fs::directory_iterator(run.folder.checkpoints()))
    if (std::find(named.begin(), named.end(), entry.path().filename()) == named.end())
      unnamed.push_back(entry.path());
  for (const fs::path& path : unnamed) fs::remove_all(path);
}

namespace {

void copy_best(Run& run) {
  run.reporter.advance("export", 0, 1, "models");
  const fs::path best = run.folder.checkpoints() / checkpoint_name(run.state.best().iteration);
  fs::remove_all(run.folder.model());
  fs::remove_all(run.folder.adapter());
  if (run.policy->adapter() != nullptr) {
    copy_folder(best, run.folder.adapter());
    const auto merged = run.policy->with_adapter(engine::read_adapter(best, run.policy->config()));
    engine::export_model(*merged, run.config.resolved.model_path, run.folder.model());
  } else {
    copy_folder(best, run.folder.model());
  }
  run.reporter.advance("export", 1, 1, "models");
  run.reporter.log("info", "exported " + best.filename().string() + " as " + run.folder.model().string());
}

}  // namespace

void export_best(Run& run) {
  if (run.ranks.first()) copy_best(run);
  run.ranks.barrier();  // all of them read it
}

Json summary_of(const Run& run) {
  Json summary = {{"best_iteration", run.state.best().iteration},
                  {"iterations", run.state.iteration},
                  {"stopped_early", run.state.stopped_early},
                  {"metric", run.config.validation.metric}};
  summary.update(run.state.results);
  summary["model"] = "model";
  if (run.policy->adapter() != nullptr) summary["adapter"] = "adapter";
  return summary;
}

void write_summary(const Run& run) {
  if (!run.ranks.first()) return;
  write_file_atomically(run.folder.summary(), dump_json(summary_of(run), 2) + "\n");
}

}  // namespace rft::worker
