// What keys of a job say of one another; key_table.h checks each by itself.
#pragma once

#include "config/job_config.h"

namespace rft::config {

// Throws invalid_argument that names the key, its line and the mend.
void check_job(const JobConfig& job);

// The same for [scorer] as its owner wrote it: in a plan, what admission made of a grader stands beside it.
void check_owners_scorer(const JobConfig& job);

}  // namespace rft::config
