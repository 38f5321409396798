// What the daemon publishes: two frames, the topic and one JSON object
//
//   job.17.metrics   {"v":1,"topic":"job.17.metrics","boot":"9c…","seq":42,"time":1767225600.125,"data":{…}}
//
// `seq` counts the events of one topic from 1 since the daemon started; `boot` names that start. A subscriber
// that misses a number, or meets another boot, has lost something and asks for a snapshot (GapDetector).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace rft::protocol {

struct Event {
  std::string topic;
  std::string boot;
  uint64_t seq = 0;
  double time = 0;  // seconds since 1970, when it was published
  Json data = Json::object();
};

std::string encode(const Event& event);
// Throws Error(invalid_argument) for bytes that are no event, Error(unsupported) for another version.
Event decode_event(std::string_view bytes);

// "job.17.status".
std::string job_topic(int64_t job, std::string_view kind);

// A subscriber's memory of what it has seen, by topic. Not thread-safe.
class GapDetector {
 public:
  enum class Verdict {
    next,     // take it
    covered,  // the snapshot held it already
    gap,      // something before it was lost: ask for a snapshot, then offer it again
  };
  Verdict offer(const Event& event);
  // What a snapshot covers, from its reply's "boot" and "sequences" ({topic: seq}). Topics that it does not
  // name have had no event yet.
  void covered_by(const Json& snapshot);

 private:
  std::string boot_;
  std::map<std::string, uint64_t, std::less<>> seen_;
};

}  // namespace rft::protocol
