#include "base/error.h"
#include "base/nearest.h"
#include "control/handlers/handlers.h"

namespace rft::control {
namespace {

constexpr int64_t kDefaultRows = 100;
constexpr int64_t kMaxRows = 10'000;

// Of a list, what a row of it shows: the rest is in `show`.
Json job_row(const jobs::JobView& view) {
  Json row = to_json(view);
  row.erase("metrics");
  row.erase("result");
  row.erase("scorer_swap");
  return row;
}

jobs::JobFilter filter_of(const Args& args) {
  jobs::JobFilter filter;
  for (const std::string& name : args.texts("states")) {
    const auto state = jobs::state_from_string(name);
    if (!state) {
      static const std::vector<std::string> kStates = {"settling",  "checking", "queued",    "running",
                                                       "paused",    "retrying", "succeeded", "failed",
                                                       "cancelled", "rejected"};
      throw Error(ErrorCode::invalid_argument, "unknown state \"" + name + "\"" + did_you_mean(name, kStates),
                  "states");
    }
    filter.states.push_back(*state);
  }
  filter.name = args.text_or("name", "");
  filter.limit = args.integer_or("limit", kDefaultRows, 1, kMaxRows);
  return filter;
}

}  // namespace

void handle_ls(Context& context, const Call& call) {
  Json rows = Json::array();
  for (const jobs::JobView& view : context.jobs.list(filter_of(call.args()))) rows.push_back(job_row(view));
  call.reply({{"jobs", std::move(rows)}});
}

}  // namespace rft::control
