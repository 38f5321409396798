#include "protocol/event.h"

#include "base/error.h"
#include "protocol/request.h"

namespace rft::protocol {

std::string encode(const Event& event) {
  return dump_json({{"v", kProtocolVersion},
                    {"topic", event.topic},
                    {"boot", event.boot},
                    {"seq", event.seq},
                    {"time", event.time},
                    {"data", event.data}});
}

Event decode_event(std::string_view bytes) {
  const Json json = parse_json(bytes, "event");
  try {
    if (json.at("v").get<int>() != kProtocolVersion)
      throw Error(ErrorCode::unsupported, "an event of protocol version " + dump_json(json.at("v")));
    return {json.at("topic"), json.at("boot"), json.at("seq"), json.at("time"), json.at("data")};
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("not an event: ") + error.what());
  }
}

std::string job_topic(int64_t job, std::string_view kind) {
  return "job." + std::to_string(job) + "." + std::string(kind);
}

GapDetector::Verdict GapDetector::offer(const Event& event) {
  if (event.boot != boot_) return Verdict::gap;
  uint64_t& seen = seen_[event.topic];
  if (event.seq <= seen) return Verdict::covered;
  if (event.seq > seen + 1) return Verdict::gap;
  seen = event.seq;
  return Verdict::next;
}

void GapDetector::covered_by(const Json& snapshot) {
  try {
    boot_ = snapshot.at("boot").get<std::string>();
    seen_ = snapshot.at("sequences").get<decltype(seen_)>();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("not a snapshot: ") + error.what());
  }
}

}  // namespace rft::protocol
