// How an admission says no: in one sentence with the mend, after the line of job.toml that it is about.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "config/job_config.h"

namespace rft::jobs {

[[noreturn]] inline void reject(const std::string& message, const std::string& field = "") {
  throw Error(ErrorCode::invalid_argument, message, field);
}

// `job.toml:4: [data] train = "train.jsonl": `, the key as its owner wrote it.
inline std::string at_key(const config::JobConfig& job, const char* section, const char* key,
                          const std::string& value) {
  return fmt::format("{}[{}] {} = \"{}\": ", job.lines.where(section, key), section, key, value);
}

}  // namespace rft::jobs
