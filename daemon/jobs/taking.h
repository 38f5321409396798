// From a complete folder in incoming/ (or one that was submitted) to jobs/17-fraud/input/, or to
// rejected/fraud/. Both can be broken off at any moment and called again: each finds out how far the last
// call came. They take long and may be called from any thread, for different jobs at the same time.
#pragma once

#include <filesystem>
#include <string>

#include "jobs/folder.h"
#include "jobs/home.h"
#include "jobs/job.h"

namespace rft::jobs {

enum class TakeOutcome {
  published,       // jobs/17-fraud/input/ is there, synced
  still_changing,  // somebody wrote to the source meanwhile: to be called again later
  vanished,        // the source is gone, and no copy was made of it
};

// The source, unless it is to be kept, is renamed first and removed last. Throws Error(invalid_argument) for
// what a job folder may not hold.
TakeOutcome take_folder(const Job& job, const Home& home, const CopyLimits& limits);

// A name under rejected/ that is free now.
std::filesystem::path choose_rejected_folder(const Home& home, const std::string& name);

// Moves whatever there is of the job's folder to `target` and writes REASON.txt beside its files. A folder
// that is its owner's own, or may not be moved, stays: `target` holds what could be copied, or REASON.txt
// alone.
void reject_folder(const Job& job, const Home& home, const std::filesystem::path& target,
                   const std::string& reason);

}  // namespace rft::jobs
