// The story of a job, from its data to its exported model.
#pragma once

#include "protocol/worker_stream.h"
#include "worker/run.h"

namespace rft::worker {

// Runs the job from where its state stands to its end and answers the figures found, or, a resume point
// written, why a watch paused it (docs/protocol.md, "finished"). Throws engine::Interrupted, a resume point
// written, when the reporter is asked to stop, and rft::Error when the job cannot go on.
protocol::WorkerFinished run_pipeline(Run& run);

}  // namespace rft::worker
