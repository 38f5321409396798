#include "control/handlers/handlers.h"

namespace rft::control {

void handle_why(Context& context, const Call& call) {
  const std::string job = call.args().job();
  const jobs::Why why = context.jobs.why(job);
  const jobs::JobView view = context.jobs.get(job);
  call.reply({{"id", view.id},
              {"name", view.name},
              {"state", to_string(why.state)},
              {"reason", why.reason},
              {"details", why.details}});
}

}  // namespace rft::control
