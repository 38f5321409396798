// The control socket: a ROUTER at run/control.sock. Takes requests off the wire, looks them up in the request
// table, and sends the answers; it knows no verb. A bad request gets an error and changes nothing.
//
// A mutation's id stands for one effect: copies of the request that come while it is under way wait for the
// same answer; those that come later are known to the jobs' store, across restarts too.
//
// Used from the loop's thread only.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/request_table.h"
#include "control/socket_watch.h"
#include "protocol/reply.h"
#include "protocol/request.h"

namespace rft::control {

class Server {
 public:
  // Binds `socket` for those whom `mode` lets in and serves from then on. Throws Error(io). Everything given
  // must outlive the server.
  Server(boost::asio::io_context& loop, zmq::context_t& zmq, const std::filesystem::path& socket, mode_t mode,
         Context& context);
  ~Server();

 private:
  using Envelope = std::vector<std::string>;  // the frames before the body, sent back before the answer
  struct Flight;                              // a mutation under way

  void take_message();
  void serve(const Envelope& client, std::string_view body);
  void query(const Envelope& client, const RequestEntry& entry, const protocol::Request& request);
  void mutate(const Envelope& client, const RequestEntry& entry, const protocol::Request& request);
  void land(const std::string& id, const protocol::Reply& reply);
  void send(const Envelope& client, const protocol::Reply& reply);

  zmq::socket_t socket_;
  Context& context_;
  std::map<std::string, Flight> flights_;  // by request id
  std::shared_ptr<Server*> self_;          // what a Call answers through; gone with the server
  SocketWatch watch_;
};

}  // namespace rft::control
