// The daemon's face over ZeroMQ: the control socket (server.h) and the events socket (publisher.h) on the
// daemon's own loop, with one ZeroMQ I/O thread behind both. docs/protocol.md is the contract.
//
// Threading: made, used and destroyed on the loop's thread. The caller holds the home's lock before it makes
// one, since binding takes a socket's path over from whoever has it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "base/json.h"
#include "control/context.h"
#include "control/publisher.h"
#include "control/server.h"

namespace rft::control {

class Control {
 public:
  struct Options {
    std::filesystem::path home;
    std::filesystem::path run_folder;      // where the sockets are bound: short enough for a socket's path
    std::filesystem::path program_folder;  // where rft-worker and rft-plugin-host are
    std::vector<std::string> python;       // the interpreters that rftd.toml names
    std::function<std::vector<plugins::PluginRow>()> plugin_rows;
  };

  // Binds both sockets and answers requests from then on. Throws Error(io). `jobs` must outlive it.
  Control(boost::asio::io_context& loop, jobs::Jobs& jobs, Options options);

  // What Jobs::set_event_sink is given; also for topics of the daemon's own, such as "plugins".
  void publish(const std::string& topic, const Json& event) { publisher_.publish(topic, event); }

 private:
  zmq::context_t zmq_;  // last to go: it waits for the sockets
  const mode_t socket_mode_;
  Publisher publisher_;
  Context context_;
  Server server_;
};

}  // namespace rft::control
