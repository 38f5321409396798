#include "base/error.h"
#include "control/handlers/handlers.h"

namespace rft::control {

void handle_submit(Context& context, const Call& call) {
  const std::filesystem::path folder = call.args().text("folder");
  if (!folder.is_absolute())
    throw Error(ErrorCode::invalid_argument,
                folder.string() + ": must be an absolute path; the daemon has a working directory of its own",
                "folder");
  context.jobs.submit(folder.lexically_normal(), call.id(), answer_with_job(call));
}

}  // namespace rft::control
