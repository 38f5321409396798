#include "cli/commands/commands.h"
#include "cli/commands/mutation.h"

namespace rft::cli {

Run define_resume(CLI::App& app) { return define_mutation(app, "resume"); }

}  // namespace rft::cli
