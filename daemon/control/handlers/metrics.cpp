#include "control/handlers/handlers.h"
#include "control/pages.h"

namespace rft::control {

void handle_metrics(Context& context, const Call& call) {
  call.reply(
      json_page(requested_page(call.args(), context.jobs.folder(call.args().job()) / "metrics.jsonl")));
}

}  // namespace rft::control
