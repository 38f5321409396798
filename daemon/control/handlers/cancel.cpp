#include "control/handlers/handlers.h"

namespace rft::control {

void handle_cancel(Context& context, const Call& call) {
  context.jobs.cancel(call.args().job(), call.id(), answer_with_job(call));
}

}  // namespace rft::control
