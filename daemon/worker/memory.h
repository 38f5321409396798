// A job's memory, on the worker's side: the estimate from what was counted, and what to say when memory runs
// out all the same.
#pragma once

#include "config/job_config.h"
#include "memory/estimate.h"
#include "protocol/worker_stream.h"
#include "worker/dataset.h"
#include "worker/job_folder.h"

namespace rft::worker {

// What the job may take: as its owner says, else what there is.
int64_t memory_limit(const config::JobConfig& config);

// The estimate, now that prompts are counted in tokens; with `keep` it replaces the daemon's in the job's
// folder. Throws TooLarge when it is beyond the limit.
memory::Estimate count_memory(const JobFolder& folder, const config::JobConfig& config,
                              const memory::DataExtent& data, bool keep);

// A job that cannot run here: another attempt would end the same way.
class TooLarge : public Error {
 public:
  explicit TooLarge(const std::string& message) : Error(ErrorCode::resource, message) {}
};

// An allocation of `asked_bytes` (0: unknown) failed during `phase`. It is worth another attempt where the
// worker had not yet what was estimated: then others hold it.
protocol::WorkerFinished out_of_memory(const JobFolder& folder, const std::string& phase,
                                       int64_t asked_bytes);

// What the attempt held, beside what was estimated.
std::string memory_report(const memory::Estimate& estimate);

}  // namespace rft::worker
