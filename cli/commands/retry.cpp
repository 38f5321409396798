#include "cli/commands/commands.h"
#include "cli/commands/mutation.h"

namespace rft::cli {

Run define_retry(CLI::App& app) { return define_mutation(app, "retry"); }

}  // namespace rft::cli
