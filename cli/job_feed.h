// One job as it changes, for as long as somebody wants to know: subscribe first, then take a snapshot, then
// drop the events that it covers. An event that was lost, or a daemon that went away and came back, shows as
// another snapshot, and so does a long silence, since the last event of all may be the one that was lost: the
// reader's picture always converges. Not thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "base/json.h"
#include "cli/client.h"
#include "cli/connection.h"
#include "protocol/event.h"

namespace rft::cli {

struct JobUpdate {
  enum class Kind {
    snapshot,  // `data`: the job
    event,     // `topic`: status, progress, metrics, validation, checkpoint or log; `data`: the event's
    lost,      // the daemon has gone; the feed waits for it to come back
    timeout,   // or the descriptor that was to be looked at meanwhile is readable
  };
  Kind kind = Kind::timeout;
  std::string topic;
  Json data;
};

class JobFeed {
 public:
  // `job`: its number. The first update is a snapshot; that one throws what Client::ask throws.
  JobFeed(Client& client, int64_t job);

  JobUpdate next(std::chrono::steady_clock::time_point deadline, int other_descriptor = -1);

 private:
  using Clock = std::chrono::steady_clock;

  JobUpdate take_snapshot();
  void receive();

  Client& client_;
  int64_t job_;
  zmq::context_t zmq_;
  Connection connection_;
  protocol::GapDetector gaps_;
  std::deque<protocol::Event> received_;
  bool snapshot_due_ = true;
  bool snapshot_seen_ = false;
  bool connected_ = true;
  Clock::time_point last_heard_ = Clock::now();
};

}  // namespace rft::cli
