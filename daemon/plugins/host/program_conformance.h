// The conformance suite for scorers and adapters that are scripts or programs: what docs/scorers.md and
// docs/adapters.md ask of them, each check with a process of its own, as a job has it.
#pragma once

#include <string>

#include "base/json.h"
#include "plugins/host_options.h"

namespace rft::plugins::host {

// [{"check", "verdict": ok | failed | skipped, "detail", "rule"}]. `role`: scorer | dataset-adapter. `data`:
// records, a JSON line each; empty: made-up ones.
Json check_program(const HostOptions& options, const std::string& role, const std::filesystem::path& data);

}  // namespace rft::plugins::host
