#include "control/handlers/handlers.h"

namespace rft::control {

// The sequence numbers and the jobs are read in one turn of the loop, in which nothing is published: the
// snapshot holds the effect of exactly the events that it says it covers.
void handle_snapshot(Context& context, const Call& call) {
  Json jobs = Json::array();
  std::string prefix = "job.";
  if (call.args().has("job")) {
    const jobs::JobView view = context.jobs.get(call.args().job());
    prefix += std::to_string(view.id) + ".";
    jobs.push_back(to_json(view));
  } else {
    for (const jobs::JobView& view : context.jobs.list({.limit = 1000})) jobs.push_back(to_json(view));
  }
  call.reply({{"boot", context.events.boot()},
              {"sequences", context.events.sequences(prefix)},
              {"jobs", std::move(jobs)}});
}

}  // namespace rft::control
