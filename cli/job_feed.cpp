#include "cli/job_feed.h"

#include "base/error.h"
#include "cli/exit_code.h"
#include "cli/home.h"

namespace rft::cli {
namespace {

constexpr auto kLongSilence = std::chrono::seconds(10);

// `client` having found the daemon first, the events socket is there too.
std::filesystem::path events_socket(const Client& client) {
  require_daemon(client.home());
  return socket_path(client.home(), "events.sock");
}

}  // namespace

JobFeed::JobFeed(Client& client, int64_t job)
    : client_(client), job_(job), connection_(zmq_, zmq::socket_type::sub, events_socket(client)) {
  connection_.socket().set(zmq::sockopt::subscribe, protocol::job_topic(job, ""));
  // Only once connected is the subscription on its way before the request for a snapshot. An event shows
  // that too, and can be seen first.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    const auto event = connection_.wait(deadline);
    if (event == Connection::Event::connected || event == Connection::Event::readable) return;
    if (event == Connection::Event::timeout) throw Unreachable("the daemon's events cannot be reached");
  }
}

JobUpdate JobFeed::next(Clock::time_point deadline, int other_descriptor) {
  for (;;) {
    if (std::exchange(snapshot_due_, false)) return take_snapshot();
    while (!received_.empty()) {
      protocol::Event event = std::move(received_.front());
      received_.pop_front();
      const auto verdict = gaps_.offer(event);
      if (verdict == protocol::GapDetector::Verdict::gap) return take_snapshot();
      if (verdict == protocol::GapDetector::Verdict::covered) continue;
      return {JobUpdate::Kind::event, event.topic.substr(protocol::job_topic(job_, "").size()),
              std::move(event.data)};
    }
    switch (connection_.wait(std::min(deadline, last_heard_ + kLongSilence), other_descriptor)) {
      case Connection::Event::readable:
        receive();
        break;
      case Connection::Event::connected:
        connected_ = snapshot_due_ = true;
        break;
      case Connection::Event::disconnected:
        connected_ = false;
        return {JobUpdate::Kind::lost, "", nullptr};
      case Connection::Event::other:
        return {};
      case Connection::Event::timeout:
        if (Clock::now() >= deadline) return {};
        last_heard_ = Clock::now();
        snapshot_due_ = connected_;
    }
  }
}

JobUpdate JobFeed::take_snapshot() {
  received_.clear();  // what came before the snapshot is in it
  last_heard_ = Clock::now();
  try {
    const Json snapshot = client_.ask("snapshot", {{"job", job_}});
    snapshot_seen_ = true;
    gaps_.covered_by(snapshot);
    return {JobUpdate::Kind::snapshot, "", snapshot.at("jobs").at(0)};
  } catch (const Unreachable&) {
    if (!snapshot_seen_) throw;
    return {JobUpdate::Kind::lost, "", nullptr};  // tried again when it is back, or after the next silence
  }
}

void JobFeed::receive() {
  zmq::message_t topic, body;
  if (!connection_.socket().recv(topic, zmq::recv_flags::dontwait) || !topic.more()) return;
  if (!connection_.socket().recv(body, zmq::recv_flags::dontwait)) return;
  last_heard_ = Clock::now();
  received_.push_back(protocol::decode_event(body.to_string_view()));
}

}  // namespace rft::cli
