#include "control/handlers/handlers.h"

namespace rft::control {

void handle_resume(Context& context, const Call& call) {
  context.jobs.resume(call.args().job(), call.id(), answer_with_job(call));
}

}  // namespace rft::control
