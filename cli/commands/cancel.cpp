#include "cli/commands/commands.h"
#include "cli/commands/mutation.h"

namespace rft::cli {

Run define_cancel(CLI::App& app) { return define_mutation(app, "cancel"); }

}  // namespace rft::cli
