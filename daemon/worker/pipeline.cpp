#include "worker/pipeline.h"

#include "worker/checkpoints.h"
#include "worker/evaluation.h"
#include "worker/iteration.h"
#include "worker/scorer_swap.h"
#include "worker/warm_up.h"

namespace rft::worker {
namespace {

void tell_story(Run& run) {
  // The model as it came.
  evaluate_once(run, "base");

  // A supervised start on the expected outputs, where the job asks for one.
  if (!run.state.reference_frozen) {
    warm_up(run);
    if (run.warmup != nullptr) evaluate_once(run, "warmup");
    begin_ppo(run);
  }

  // One iteration after the other; each epoch's end is validated, also when a stop came between the two.
  for (;;) {
    if (epoch_ended(run)) {
      validate_epoch(run);
      run.save_resume_point();
      prune_checkpoints(run);
    }
    if (finished(run)) break;
    swap_scorer(run);                       // where its owner has named another
    if (!run.pause_reason.empty()) return;  // its owner should look

    const Prompts prompts = next_prompts(run);
    RolloutScoring scoring = begin_scoring(run, prompts);  // takes what is whole while the rest is sampled
    Completions completions = roll_out(run, prompts, scoring);
    std::vector<ScoredCompletion> episodes = score(run, scoring, std::move(completions));
    refill(run, prompts, episodes);
    update_policy(run, episodes);

    if (run.resume_point_due()) run.save_resume_point();
  }

  // The best checkpoint becomes the model; what is served later is what is measured here.
  export_best(run);
  evaluate_exported_model(run);
}

}  // namespace

protocol::WorkerFinished run_pipeline(Run& run) {
  try {
    tell_story(run);
  } catch (const engine::Interrupted&) {
    // Every stage that can be interrupted leaves the state as it was before it.
    run.save_resume_point();
    throw;
  }
  if (!run.pause_reason.empty() && !finished(run)) {
    run.save_resume_point();
    run.reporter.log("info", run.pause_reason);
    return {.outcome = protocol::WorkerOutcome::paused, .pause_reason = run.pause_reason};
  }
  write_summary(run);
  return {.outcome = protocol::WorkerOutcome::succeeded, .result = summary_of(run)};
}

}  // namespace rft::worker
