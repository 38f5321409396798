#include "control/control.h"

#include "base/clock.h"
#include "control/bind.h"
#include "jobs/home.h"

namespace rft::control {

Control::Control(boost::asio::io_context& loop, jobs::Jobs& jobs, Options options)
    : socket_mode_(socket_mode(jobs::Home{options.home}.incoming())),
      publisher_(loop, zmq_),
      context_{jobs,           publisher_,  options.home, options.program_folder,
               options.python, RFT_VERSION, utc_now(),    std::move(options.plugin_rows)},
      server_(loop, zmq_, options.run_folder / "control.sock", socket_mode_, context_) {
  // After the control socket: who finds the events can ask for a snapshot.
  publisher_.bind(options.run_folder / "events.sock", socket_mode_);
}

}  // namespace rft::control
