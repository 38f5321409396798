#include "cli/arrival.h"

#include <chrono>
#include <optional>

#include "base/error.h"
#include "cli/connection.h"
#include "cli/home.h"
#include "cli/job_text.h"
#include "protocol/event.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kDroppedAMomentAgo = std::chrono::seconds(5);

// Its number; 0 while it settles, nothing while nobody knows it.
std::optional<int64_t> number_of_job(Client& client, const std::string& job) {
  try {
    return whole_of(client.ask("show", {{"job", job}}).at("job"), "id");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

// The number in the first event of a job that the folder of that name has become; 0 in any other.
int64_t number_in(zmq::socket_t& socket, const std::string& job) {
  zmq::message_t topic, body;
  if (!socket.recv(topic, zmq::recv_flags::dontwait) || !topic.more()) return 0;
  if (!socket.recv(body, zmq::recv_flags::dontwait)) return 0;
  const protocol::Event event = protocol::decode_event(body.to_string_view());
  const bool is_new = text_of(event.data, "state") == "checking" && text_of(event.data, "name") == job;
  return is_new ? whole_of(event.data, "id") : 0;
}

}  // namespace

int64_t arriving_job(Client& client, const std::string& job) {
  if (const auto number = number_of_job(client, job); number.value_or(0) > 0) return *number;
  zmq::context_t zmq;
  Connection events(zmq, zmq::socket_type::sub, socket_path(client.home(), "events.sock"));
  events.socket().set(zmq::sockopt::subscribe, "job.");
  auto deadline = Clock::now() + kDroppedAMomentAgo;
  for (;;) {
    switch (events.wait(deadline)) {
      case Connection::Event::connected:  // from here on no event is missed
        if (const auto number = number_of_job(client, job)) {
          if (*number > 0) return *number;
          deadline = Clock::time_point::max();
        }
        break;
      case Connection::Event::readable:
        if (const int64_t number = number_in(events.socket(), job); number > 0) return number;
        break;
      case Connection::Event::disconnected:
      case Connection::Event::other:
        break;
      case Connection::Event::timeout:
        return whole_of(find_job(client, job), "id");  // says what is wrong
    }
  }
}

}  // namespace rft::cli
