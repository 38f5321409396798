#include "jobs/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace rft::jobs {
namespace {

// In the order of Status's alternatives.
constexpr std::array<std::string_view, 10> kNames = {"settling",  "checking", "queued",    "running",
                                                     "paused",    "retrying", "succeeded", "failed",
                                                     "cancelled", "rejected"};
static_assert(kNames.size() == std::variant_size_v<Status>);

constexpr std::pair<State, State> kTransitions[] = {
    {State::settling, State::checking},  {State::settling, State::rejected},
    {State::checking, State::queued},    {State::checking, State::rejected},
    {State::checking, State::cancelled}, {State::queued, State::running},
    {State::queued, State::paused},      {State::queued, State::cancelled},
    {State::queued, State::failed},  // what was admitted is no longer what is on disk
    {State::running, State::paused},     {State::running, State::retrying},
    {State::running, State::queued},  // the daemon stopped: the job goes on at its next start
    {State::running, State::succeeded},  {State::running, State::failed},
    {State::running, State::cancelled},  {State::paused, State::queued},
    {State::paused, State::cancelled},   {State::retrying, State::queued},
    {State::retrying, State::paused},    {State::retrying, State::cancelled},
    {State::failed, State::queued},  // by its owner's wish
    {State::cancelled, State::queued},
};

int64_t milliseconds(SystemTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

struct Members {
  Json& out;
  void operator()(const Settling& status) const { out["reason"] = status.reason; }
  void operator()(const Checking& status) const {
    out["reason"] = status.reason;
    out["copied"] = status.copied;
  }
  void operator()(const Queued& status) const { out["reason"] = status.reason; }
  void operator()(const Running& status) const { out["request"] = static_cast<int>(status.request); }
  void operator()(const Paused& status) const { out["reason"] = status.reason; }
  void operator()(const Retrying& status) const {
    out["reason"] = status.reason;
    out["not_before_ms"] = milliseconds(status.not_before);
  }
  void operator()(const Succeeded& status) const { out["result"] = status.result; }
  void operator()(const Failed& status) const {
    out["reason"] = status.reason;
    out["code"] = status.code;
    if (!status.failure.empty()) out["failure"] = status.failure;
  }
  void operator()(const Cancelled& status) const { out["reason"] = status.reason; }
  void operator()(const Rejected& status) const {
    out["reason"] = status.reason;
    out["folder"] = status.folder.string();
  }
};

}  // namespace

std::string_view to_string(State state) { return kNames[static_cast<size_t>(state)]; }

std::optional<State> state_from_string(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<State>(found - kNames.begin());
}

bool is_finished(State state) {
  return state == State::succeeded || state == State::failed || state == State::cancelled ||
         state == State::rejected;
}

bool can_follow(State from, State to) {
  return std::find(std::begin(kTransitions), std::end(kTransitions), std::pair(from, to)) !=
         std::end(kTransitions);
}

State state_of(const Status& status) { return static_cast<State>(status.index()); }

std::string reason_of(const Status& status) {
  return std::visit(
      [](const auto& alternative) -> std::string {
        if constexpr (requires { alternative.reason; }) return alternative.reason;
        return "";
      },
      status);
}

Json to_json(const Status& status) {
  Json json = {{"state", to_string(state_of(status))}};
  std::visit(Members{json}, status);
  return json;
}

Status status_from_json(const Json& json) {
  try {
    const auto reason = json.value("reason", std::string());
    const auto state = state_from_string(json.at("state").get<std::string>());
    if (!state) throw Error(ErrorCode::invalid_argument, "a job's state is " + dump_json(json.at("state")));
    switch (*state) {
      case State::settling:
        return Settling{reason};
      case State::checking:
        return Checking{reason, json.at("copied").get<bool>()};
      case State::queued:
        return Queued{reason};
      case State::running:
        return Running{static_cast<Request>(json.at("request").get<int>())};
      case State::paused:
        return Paused{reason};
      case State::retrying:
        return Retrying{reason,
                        SystemTime(std::chrono::milliseconds(json.at("not_before_ms").get<int64_t>()))};
      case State::succeeded:
        return Succeeded{json.at("result")};
      case State::failed:
        return Failed{reason, json.at("code").get<std::string>(), json.value("failure", "")};
      case State::cancelled:
        return Cancelled{reason};
      case State::rejected:
        return Rejected{reason, json.at("folder").get<std::string>()};
    }
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("a job's status cannot be read: ") + error.what());
  }
  throw Error(ErrorCode::internal, "a job's state has no alternative");
}

std::string Job::folder_name() const {
  return fmt::format("{}-{}", id, safe_name(source.filename().string()));
}

std::string safe_name(const std::string& name) {
  std::string safe;
  for (const char c : name.substr(0, 64)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    safe += plain ? c : '-';
  }
  if (safe.empty()) return "job";
  if (safe.front() == '.') safe.front() = '-';
  return safe;
}

std::string time_text(SystemTime time) { return time == SystemTime{} ? "" : utc_text(time); }

}  // namespace rft::jobs
