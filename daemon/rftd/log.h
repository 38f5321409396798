// The daemon's one log, on stderr: lines for people in a terminal, one JSON object a line elsewhere.
#pragma once

#include "config/daemon_config.h"

namespace rft::daemon {

void start_log(const config::LogConfig& config);

}  // namespace rft::daemon
