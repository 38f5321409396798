// How a scorer of a job is started, as the job's plan says: at its admission, by its worker, and again by
// hand when it is in quarantine.
#pragma once

#include <filesystem>

#include "config/job_config.h"
#include "plugins/host_options.h"

namespace rft::plugins {

// `folder` is the job's. What the scorer prints goes to its scorer.log, what it keeps into its scorer-state/;
// the folder input/, where it is still there, is what the scorer sees of the job.
HostOptions options_of(const config::PinnedScorer& scorer, const config::JobConfig& plan,
                       const std::filesystem::path& folder, const std::filesystem::path& host_program);

}  // namespace rft::plugins
