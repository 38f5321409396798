#include "control/handlers/handlers.h"

namespace rft::control {

void handle_pause(Context& context, const Call& call) {
  context.jobs.pause(call.args().job(), call.id(), answer_with_job(call));
}

}  // namespace rft::control
