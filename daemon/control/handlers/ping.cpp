#include <unistd.h>

#include "control/handlers/handlers.h"
#include "protocol/request.h"

namespace rft::control {

void handle_ping(Context& context, const Call& call) {
  call.reply({{"version", context.version},
              {"protocol", protocol::kProtocolVersion},
              {"boot", context.events.boot()},
              {"pid", ::getpid()},
              {"home", context.home.string()},
              {"started_at", context.started_at}});
}

}  // namespace rft::control
