#include "base/error.h"
#include "control/handlers/handlers.h"
#include "jobs/home.h"
#include "plugins/quarantine.h"

namespace rft::control {

void handle_plugins_why(Context& context, const Call& call) {
  const std::string plugin = call.args().text("plugin");
  Json reports = Json::array();
  for (const auto& report : plugins::Quarantine(jobs::Home{context.home}.quarantine()).named(plugin))
    reports.push_back(to_json(report));
  if (reports.empty())
    throw Error(ErrorCode::not_found, "no plugin \"" + plugin + "\" is in quarantine; see rftctl plugins ls",
                "plugin");
  call.reply({{"reports", std::move(reports)}});
}

}  // namespace rft::control
