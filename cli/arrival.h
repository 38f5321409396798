// For `rftctl watch` and `wait`, which people type right after dropping a folder.
#pragma once

#include <cstdint>
#include <string>

#include "cli/client.h"

namespace rft::cli {

// The number of the job that a person named. A folder that is still settling is waited for until it has one,
// whatever older jobs have its name;
// a name that nobody knows, a few seconds, since its folder may have been dropped a moment ago. Throws what
// Client::ask throws, not_found after that time.
int64_t arriving_job(Client& client, const std::string& job);

}  // namespace rft::cli
