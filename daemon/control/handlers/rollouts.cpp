#include "base/error.h"
#include "control/handlers/handlers.h"
#include "control/pages.h"

namespace rft::control {

void handle_rollouts(Context& context, const Call& call) {
  const std::string of = call.args().text_or("of", "training");
  if (of != "training" && of != "validation")
    throw Error(ErrorCode::invalid_argument, "\"of\" must be \"training\" or \"validation\"", "of");
  const char* const file = of == "training" ? "rollouts.jsonl" : "validation.jsonl";
  call.reply(json_page(requested_page(call.args(), context.jobs.folder(call.args().job()) / file)));
}

}  // namespace rft::control
