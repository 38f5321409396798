// Another scorer in the place of a job's present one, between two iterations, where the job's owner asks for
// it (`rftctl scorer swap`).
//
// The new one is tried first: it scores the job's last batch, and the completions of past validations and
// tests as the journals have them, from which the figures that later ones are compared with are made anew:
// those of the model before the training, of the kept checkpoints and of the last epoch. No score of the old
// one is compared with one of the new. Where anything of it fails, everything stays as it was.
#pragma once

#include "worker/run.h"

namespace rft::worker {

// Does so if the owner has asked since the last call. What the resume points hold is the old scorer with its
// figures, or the new one with its own. Throws engine::Interrupted when the sink asks to stop; nothing has
// changed then.
void swap_scorer(Run& run);

}  // namespace rft::worker
