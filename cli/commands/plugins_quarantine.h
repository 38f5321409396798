// The parts of `rftctl plugins` about plugins that took their process down.
#pragma once

#include "cli/command_table.h"

namespace rft::cli {

int explain_quarantine(Session& session, const std::string& plugin);
int release_from_quarantine(Session& session, const std::string& plugin);

}  // namespace rft::cli
