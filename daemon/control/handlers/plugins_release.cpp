#include "base/error.h"
#include "control/handlers/handlers.h"
#include "jobs/home.h"
#include "plugins/quarantine.h"

namespace rft::control {

// What is in no quarantine is released already: the same request again does no harm.
void handle_plugins_release(Context& context, const Call& call) {
  const std::string plugin = call.args().text("plugin");
  const plugins::Quarantine quarantine(jobs::Home{context.home}.quarantine());
  const auto reports = quarantine.named(plugin);
  if (reports.size() > 1)
    throw Error(ErrorCode::invalid_argument,
                "several plugins called \"" + plugin + "\" are in quarantine; give the digest", "plugin");
  Json released = Json::array();
  for (const auto& report : reports) {
    quarantine.release(report.digest);
    released.push_back(to_json(report));
  }
  call.reply({{"released", std::move(released)}});
}

}  // namespace rft::control
