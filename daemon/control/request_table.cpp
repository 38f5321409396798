#include "control/request_table.h"

#include <algorithm>
#include <array>
#include <exception>

#include "base/nearest.h"
#include "control/handlers/handlers.h"

namespace rft::control {
namespace {

// Sorted by verb: found by binary search.
const auto kTable = std::to_array<RequestEntry>({
    // verb, handler, mutates, required
    {"cancel", handle_cancel, true, {"job"}},
    {"doctor", handle_doctor, false, {}},
    {"logs", handle_logs, false, {"job"}},
    {"ls", handle_ls, false, {}},
    {"metrics", handle_metrics, false, {"job"}},
    {"models", handle_models, false, {}},
    {"pause", handle_pause, true, {"job"}},
    {"ping", handle_ping, false, {}},
    {"plugins", handle_plugins, false, {}},
    {"plugins.release", handle_plugins_release, true, {"plugin"}},
    {"plugins.why", handle_plugins_why, false, {"plugin"}},
    {"resume", handle_resume, true, {"job"}},
    {"retry", handle_retry, true, {"job"}},
    {"rollouts", handle_rollouts, false, {"job"}},
    {"scorer.swap", handle_scorer_swap, true, {"job"}},
    {"show", handle_show, false, {"job"}},
    {"snapshot", handle_snapshot, false, {}},
    {"submit", handle_submit, true, {"folder"}},
    {"why", handle_why, false, {"job"}},
});

}  // namespace

std::span<const RequestEntry> request_table() { return kTable; }

const RequestEntry& find_request(std::string_view verb) {
  const auto found = std::ranges::lower_bound(kTable, verb, {}, &RequestEntry::verb);
  if (found != kTable.end() && found->verb == verb) return *found;
  std::vector<std::string> verbs;
  verbs.reserve(kTable.size());
  for (const RequestEntry& entry : kTable) verbs.emplace_back(entry.verb);
  throw Error(ErrorCode::unsupported,
              "unknown verb \"" + std::string(verb) + "\"" + did_you_mean(verb, verbs), "verb");
}

void check_arity(const RequestEntry& entry, const Json& args) {
  for (const char* name : entry.required)
    if (!args.contains(name))
      throw Error(ErrorCode::invalid_argument,
                  "\"" + std::string(entry.verb) + "\" needs the argument \"" + name + "\"", name);
}

void run(const RequestEntry& entry, Context& context, const Call& call) {
  try {
    entry.handle(context, call);
  } catch (const Error& error) {
    call.fail(error);
  } catch (const std::exception& error) {
    call.fail(Error(ErrorCode::internal, std::string(entry.verb) + ": " + error.what()));
  }
}

}  // namespace rft::control
