#include "control/handlers/handlers.h"
#include "control/pages.h"

namespace rft::control {

void handle_logs(Context& context, const Call& call) {
  const Page page = requested_page(call.args(), context.jobs.folder(call.args().job()) / "log.txt");
  call.reply({{"lines", page.lines},
              {"offset", page.offset},
              {"next_offset", page.next_offset},
              {"size", page.size}});
}

}  // namespace rft::control
