#include "control/handlers/handlers.h"
#include "control/pages.h"

namespace rft::control {

void handle_rollouts(Context& context, Call call) {
  call.reply(
      json_page(requested_page(call.args(), context.jobs.folder(call.args().job()) / "rollouts.jsonl")));
}

}  // namespace rft::control
