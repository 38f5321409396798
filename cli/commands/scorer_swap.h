// The part of `rftctl scorer` that gives a running job another scorer.
#pragma once

#include "cli/command_table.h"

namespace rft::cli {

Run define_scorer_swap(CLI::App& scorer);

}  // namespace rft::cli
