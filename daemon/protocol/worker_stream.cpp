#include "protocol/worker_stream.h"

#include <array>
#include <utility>

namespace rft::protocol {
namespace {

constexpr std::array<std::pair<WorkerOutcome, std::string_view>, 4> kOutcomes = {{
    {WorkerOutcome::succeeded, "succeeded"},
    {WorkerOutcome::stopped, "stopped"},
    {WorkerOutcome::paused, "paused"},
    {WorkerOutcome::failed, "failed"},
}};

void expect_type(const Json& message, std::string_view type) {
  if (message.value("type", "") != type)
    throw Error(ErrorCode::invalid_argument, "expected a " + std::string(type) + " message");
}

// nlohmann throws its own type for a missing or ill-typed member; here it is the sender's mistake.
template <typename Read>
auto reading(std::string_view type, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, "bad " + std::string(type) + " message: " + error.what());
  }
}

}  // namespace

Json to_json(const WorkerHello& hello) {
  return {{"type", "hello"},          {"v", kWorkerStreamVersion}, {"job", hello.job},
          {"attempt", hello.attempt}, {"token", hello.token},      {"pid", hello.pid}};
}

Json to_json(const WorkerFinished& finished) {
  Json message = {{"type", "finished"}};
  for (const auto& [outcome, name] : kOutcomes)
    if (outcome == finished.outcome) message["outcome"] = name;
  if (finished.outcome == WorkerOutcome::failed)
    message["error"] = {{"code", to_string(finished.error_code)},
                        {"message", finished.error_message},
                        {"transient", finished.transient}};
  if (!finished.failure.empty()) message["error"]["failure"] = finished.failure;
  if (!finished.sub_scorer.empty()) message["error"]["sub_scorer"] = finished.sub_scorer;
  if (finished.outcome == WorkerOutcome::paused) message["reason"] = finished.pause_reason;
  message["result"] = finished.result;
  return message;
}

std::string title_of(const ScorerSwap& swap) {
  return swap.plugin + (swap.options.empty() ? "" : " " + dump_json(swap.options));
}

Json to_json(const ScorerSwap& swap) {
  return {{"type", "swap_scorer"},    {"number", swap.number},   {"plugin", swap.plugin},
          {"options", swap.options},  {"scorers", swap.scorers}, {"pause_if_refused", swap.pause_if_refused},
          {"settings", swap.settings}};
}

Json to_json(const ScorerSwapOutcome& outcome) {
  return {{"type", "scorer_swap"},           {"swap", to_json(outcome.swap)}, {"taken", outcome.taken},
          {"iteration", outcome.iteration},  {"reason", outcome.reason},      {"failure", outcome.failure},
          {"sub_scorer", outcome.sub_scorer}};
}

WorkerHello hello_from_json(const Json& message) {
  return reading("hello", [&] {
    expect_type(message, "hello");
    if (message.at("v").get<int>() != kWorkerStreamVersion)
      throw Error(ErrorCode::unsupported, "the worker speaks version " + dump_json(message.at("v")) +
                                              " of the worker stream, this daemon version " +
                                              std::to_string(kWorkerStreamVersion));
    return WorkerHello{message.at("job"), message.at("attempt"), message.at("token"), message.at("pid")};
  });
}

WorkerFinished finished_from_json(const Json& message) {
  return reading("finished", [&] {
    expect_type(message, "finished");
    WorkerFinished finished;
    const auto name = message.at("outcome").get<std::string>();
    bool known = false;
    for (const auto& [outcome, outcome_name] : kOutcomes)
      if (outcome_name == name) finished.outcome = outcome, known = true;
    if (!known) throw Error(ErrorCode::invalid_argument, "unknown outcome " + name);
    if (finished.outcome == WorkerOutcome::failed) {
      const Json& error = message.at("error");
      finished.error_code = error_code_from_string(error.at("code").get<std::string>());
      finished.error_message = error.at("message");
      finished.transient = error.at("transient");
      finished.failure = error.value("failure", "");
      finished.sub_scorer = error.value("sub_scorer", "");
    }
    if (finished.outcome == WorkerOutcome::paused) finished.pause_reason = message.at("reason");
    finished.result = message.value("result", Json::object());
    return finished;
  });
}

ScorerSwap scorer_swap_from_json(const Json& message) {
  return reading("swap_scorer", [&] {
    expect_type(message, "swap_scorer");
    return ScorerSwap{
        message.at("number"),           message.at("plugin"),
        message.at("options"),          message.at("scorers"),
        message.at("pause_if_refused"), message.value("settings", "")};  // older swaps have none
  });
}

ScorerSwapOutcome scorer_swap_outcome_from_json(const Json& message) {
  return reading("scorer_swap", [&] {
    expect_type(message, "scorer_swap");
    return ScorerSwapOutcome{scorer_swap_from_json(message.at("swap")),
                             message.at("taken"),
                             message.at("iteration"),
                             message.at("reason"),
                             message.at("failure"),
                             message.at("sub_scorer")};
  });
}

std::vector<std::string> LineSplitter::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  for (size_t end; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
    partial_ += bytes.substr(0, end);
    lines.push_back(std::exchange(partial_, {}));
  }
  partial_ += bytes;
  if (partial_.size() > kMaxWorkerLine)
    throw Error(ErrorCode::invalid_argument,
                "a line of more than " + std::to_string(kMaxWorkerLine) + " bytes");
  return lines;
}

}  // namespace rft::protocol
