// Giving a job folder to the daemon, and what became of it.
#pragma once

#include <filesystem>

#include "cli/command_table.h"

namespace rft::cli {

// Answers the job, which the daemon has copied and keeps. Throws Error(not_found) when `folder` is no folder.
Json submit_folder(Client& client, const std::filesystem::path& folder);

// The job as soon as it is no longer being checked.
Json checked_job(Client& client, int64_t job);

// Prints the job and, where it was rejected, why. Answers the exit code.
int report_submission(Session& session, const Json& job);

}  // namespace rft::cli
