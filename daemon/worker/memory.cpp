#include "worker/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/machine_memory.h"
#include "engine/model/model_config.h"

namespace rft::worker {

int64_t memory_limit(const config::JobConfig& config) {
  const int64_t own = memory::limit_of(config), machine = memory_limit_bytes();
  return own > 0 ? std::min(own, machine) : machine;
}

memory::Estimate count_memory(const JobFolder& folder, const config::JobConfig& config,
                              const memory::DataExtent& data, bool keep) {
  const engine::ModelConfig model = engine::read_model_config(config.resolved.model_path).config;
  const memory::Estimate estimate = memory::estimate(model, config, data);
  if (keep) memory::write_estimate(folder.root, estimate);
  if (const int64_t limit = memory_limit(config); estimate.host_bytes() > limit)
    throw TooLarge(memory::too_large(estimate, limit));
  return estimate;
}

protocol::WorkerFinished out_of_memory(const JobFolder& folder, const std::string& phase,
                                       int64_t asked_bytes) {
  const auto estimate = memory::read_estimate(folder.root);
  const int64_t held = peak_memory_bytes();
  std::string message =
      fmt::format("out of memory{}: an allocation{} failed, and the worker held {} at most",
                  phase.empty() ? "" : " during " + phase,
                  asked_bytes > 0 ? " of " + memory_text(asked_bytes) : "", memory_text(held));
  const bool within = estimate && held + asked_bytes <= estimate->process_bytes();
  if (estimate) {
    message += fmt::format("; estimated were {}", estimate->text());
    message += within ? "; others hold the rest" : "; " + estimate->mends();
  }
  return {.outcome = protocol::WorkerOutcome::failed,
          .error_code = ErrorCode::resource,
          .error_message = message,
          .transient = within};
}

std::string memory_report(const memory::Estimate& estimate) {
  return fmt::format("memory: {} held at most, {} estimated", memory_text(peak_memory_bytes()),
                     memory_text(estimate.process_bytes()));
}

}  // namespace rft::worker
