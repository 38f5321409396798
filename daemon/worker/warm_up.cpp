#include "worker/warm_up.h"

#include <fmt/format.h>

#include "worker/checkpoints.h"

namespace rft::worker {

void warm_up(Run& run) {
  if (run.warmup == nullptr) return;
  const int64_t total = run.warmup->num_steps();
  run.reporter.log("info",
                   fmt::format("warm-up: {} supervised steps on {} records", total, run.data.warmup.size()));
  while (!run.warmup->done()) {
    if (run.ranks.any(run.reporter.stop_requested())) throw engine::Interrupted();
    const int64_t done = run.warmup->steps_done();
    run.reporter.advance("warmup", done, total, "steps");
    auto metrics = run.warmup->step();
    metrics["warmup/step"] = static_cast<double>(done + 1);
    run.reporter.metrics(metrics);
    if (run.resume_point_due()) run.save_resume_point();
  }
  run.reporter.advance("warmup", total, total, "steps");
}

void begin_ppo(Run& run) {
  run.trainer.freeze_reference();
  run.warmup.reset();
  run.state.reference_frozen = true;
  const std::string stage = run.state.has_result("validation", "warmup") ? "warmup" : "base";
  const double value = run.state.results["validation"][stage].at(run.config.validation.metric);
  keep_checkpoint(run, value);
  run.save_resume_point();
}

}  // namespace rft::worker
