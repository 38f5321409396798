#include "control/handlers/handlers.h"

namespace rft::control {

void handle_retry(Context& context, const Call& call) {
  context.jobs.retry(call.args().job(), call.id(), answer_with_job(call));
}

}  // namespace rft::control
