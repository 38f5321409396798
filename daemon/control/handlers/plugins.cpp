#include "control/handlers/handlers.h"

namespace rft::control {

void handle_plugins(Context& context, const Call& call) {
  Json rows = Json::array();
  for (const plugins::PluginRow& row : context.plugin_rows()) {
    rows.push_back({{"name", row.name},
                    {"kind", row.kind},
                    {"version", row.version},
                    {"state", row.state},
                    {"origin", row.origin},
                    {"file", row.file},
                    {"digest", row.digest},
                    {"reason", row.reason}});
  }
  call.reply({{"plugins", std::move(rows)}, {"folder", (context.home / "plugins").string()}});
}

}  // namespace rft::control
