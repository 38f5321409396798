// Shows a job until it has finished: redrawn in place on a terminal, as lines elsewhere, as one JSON object a
// line with --json.
#pragma once

#include "cli/command_table.h"

namespace rft::cli {

// Answers the exit code of the job's end. Survives restarts of the daemon.
int follow_job(Session& session, int64_t job);

}  // namespace rft::cli
