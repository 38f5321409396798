#include "control/control.h"

#include "base/clock.h"

namespace rft::control {

Control::Control(boost::asio::io_context& loop, jobs::Jobs& jobs, Options options)
    : publisher_(loop, zmq_),
      context_{jobs,           publisher_,  options.home, options.program_folder,
               options.python, RFT_VERSION, utc_now(),    std::move(options.plugin_rows)},
      server_(loop, zmq_, options.run_folder / "control.sock", context_) {
  // After the control socket: who finds the events can ask for a snapshot.
  publisher_.bind(options.run_folder / "events.sock");
}

}  // namespace rft::control
