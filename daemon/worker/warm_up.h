// The supervised start, and the point where it ends and PPO begins.
#pragma once

#include "worker/run.h"

namespace rft::worker {

// Takes the supervised steps that are still to take. Throws engine::Interrupted between two steps.
void warm_up(Run& run);

// Freezes the policy as the reference of PPO and keeps it as checkpoint 0: should PPO find nothing better,
// that is the model. Ends with a resume point.
void begin_ppo(Run& run);

}  // namespace rft::worker
