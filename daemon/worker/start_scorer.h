// A job's scorer, from its configuration to processes that answer.
#pragma once

#include <filesystem>
#include <memory>

#include "config/job_config.h"
#include "plugins/scorer_host.h"
#include "protocol/worker_stream.h"
#include "worker/job_folder.h"

namespace rft::worker {

// Starts it from the pinned copies. Its processes die with the thread that calls this. Throws
// plugins::PluginError, and Error(unsupported) where the machine can no longer isolate it.
std::unique_ptr<plugins::Scorer> start_scorer(const config::JobConfig& config, const JobFolder& folder,
                                              const std::filesystem::path& host_program);

// The configuration of a job with another scorer in the place of its own.
config::JobConfig with_scorer(config::JobConfig config, const protocol::ScorerSwap& swap);

}  // namespace rft::worker
