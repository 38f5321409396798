#include "cli/client.h"

#include "cli/connection.h"
#include "cli/exit_code.h"
#include "cli/home.h"
#include "protocol/reply.h"
#include "protocol/request.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRestartPatience = std::chrono::seconds(15);

}  // namespace

Json Client::ask(const std::string& verb, const Json& args, std::chrono::milliseconds timeout) {
  require_daemon(home_);
  const protocol::Request request{protocol::make_request_id(), verb, args};
  const std::string bytes = encode(request);
  if (bytes.size() > protocol::kMaxRequestBytes)
    throw Error(ErrorCode::invalid_argument, "the arguments of " + verb + " are too long");

  Connection connection(zmq_, zmq::socket_type::dealer, socket_path(home_, "control.sock"));
  auto deadline = Clock::now() + timeout;
  bool lost = false;
  for (;;) {
    switch (connection.wait(deadline)) {
      case Connection::Event::connected:
        if (lost) deadline = Clock::now() + timeout;
        lost = false;
        connection.socket().send(zmq::buffer(bytes), zmq::send_flags::dontwait);
        break;
      case Connection::Event::disconnected:
        lost = true;
        deadline = std::min(deadline, Clock::now() + kRestartPatience);
        break;
      case Connection::Event::other:
        break;
      case Connection::Event::timeout:
        throw Unreachable(lost ? "the daemon went away before it answered; whether \"" + verb +
                                     "\" took effect is to be seen with: rftctl ls"
                               : "the daemon has not answered within " +
                                     std::to_string(timeout.count() / 1000) + " s");
      case Connection::Event::readable: {
        zmq::message_t message;
        if (!connection.socket().recv(message, zmq::recv_flags::dontwait)) break;
        protocol::Reply reply = protocol::decode_reply(message.to_string_view());
        if (reply.id != request.id) break;  // of an earlier sending, already answered
        if (reply.error) throw *reply.error;
        return std::move(reply.result);
      }
    }
  }
}

}  // namespace rft::cli
