// A job's scorer, from its configuration to processes that answer.
#pragma once

#include <filesystem>

#include "config/job_config.h"
#include "protocol/worker_stream.h"
#include "worker/job_folder.h"
#include "worker/scorer_pool.h"

namespace rft::worker {

// What starts one from the pinned copies, in the thread that its processes are to die with. It throws
// plugins::PluginError, and Error(unsupported) where the machine can no longer isolate it.
ScorerPool::Start hosts_of(const config::JobConfig& config, const JobFolder& folder,
                           const std::filesystem::path& host_program);

// The configuration of a job with another scorer in the place of its own.
config::JobConfig with_scorer(config::JobConfig config, const protocol::ScorerSwap& swap);

}  // namespace rft::worker
