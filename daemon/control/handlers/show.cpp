#include "control/handlers/handlers.h"

namespace rft::control {

void handle_show(Context& context, const Call& call) {
  const std::string job = call.args().job();
  Json result = {{"job", to_json(context.jobs.get(job))}};
  if (call.args().flag("plan")) {
    result["plan"] = context.jobs.plan(job);
    if (Json memory = context.jobs.memory(job); !memory.is_null()) result["memory"] = std::move(memory);
  }
  call.reply(std::move(result));
}

}  // namespace rft::control
