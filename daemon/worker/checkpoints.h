// The best models so far, checkpoints/iteration-000120/, and the one that the job ends with, model/. Each is
// a whole Hugging Face model directory; how to go on training is kept apart, in the resume points. A job that
// trains a LoRA adapter keeps adapters in PEFT's layout instead, and ends with the best of them, adapter/,
// beside the model/ that it makes of the base.
#pragma once

#include "worker/run.h"

namespace rft::worker {

// Writes the policy as a checkpoint if its validation value is among the `[checkpoint] keep` best, and takes
// note of it in the state. Of two equal ones the earlier is the better: it is nearer to the reference.
void keep_checkpoint(Run& run, double value);

// Removes the checkpoints that the state does not name. Called once the state is saved: a state on disk never
// names a checkpoint that is gone.
void prune_checkpoints(Run& run);

// Makes model/ a copy of the best checkpoint; or adapter/ a copy of it and model/ the base with it merged.
void export_best(Run& run);

// The figures of the whole job: {"best_iteration", "iterations", "validation": {…}, "test": {…}, "model"}.
Json summary_of(const Run& run);
// Writes them to summary.json.
void write_summary(const Run& run);

}  // namespace rft::worker
