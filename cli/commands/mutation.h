// The four verbs that change one or several jobs are alike but for their name.
#pragma once

#include "cli/command_table.h"

namespace rft::cli {

// A command with the jobs as its arguments, which asks the daemon for `verb` on each and prints the jobs as
// they are afterwards.
Run define_mutation(CLI::App& app, const std::string& verb);

}  // namespace rft::cli
