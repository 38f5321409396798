#include "cli/commands/commands.h"
#include "cli/commands/mutation.h"

namespace rft::cli {

Run define_pause(CLI::App& app) { return define_mutation(app, "pause"); }

}  // namespace rft::cli
