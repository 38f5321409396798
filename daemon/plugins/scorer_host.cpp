#include "plugins/scorer_host.h"

#include <optional>

#include "plugins/host_process.h"

namespace rft::plugins {
namespace {

std::string batch_text(size_t size) {
  return "scoring a batch of " + std::to_string(size) + (size == 1 ? " episode" : " episodes");
}

// What a score that is none says, for the episode at `index` of its batch.
std::string outcome_text(const wire::EpisodeResult& result, size_t index) {
  const std::string which = "episode " + std::to_string(index + 1) + " of the batch";
  if (result.outcome == wire::Outcome::unwritten) return "it left the score of " + which + " unwritten";
  return "for " + which + " " + result.result.error;
}

}  // namespace

class ScorerHost::State {
 public:
  explicit State(ScorerOptions options) : options_(std::move(options)) {
    start();
    opened_ = host_->plugin();
  }

  std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) {
    if (requests.empty()) return {};
    const std::string body =
        ask(wire::encode_score(requests), wire::FrameType::scored, batch_text(requests.size()));
    auto results = decode([&] { return wire::decode_scored(body); });
    if (results.size() != requests.size())
      fail_protocol("its process answered for another number of episodes");
    std::vector<ScoreResult> scores;
    scores.reserve(results.size());
    for (size_t i = 0; i < results.size(); ++i) scores.push_back(judge(std::move(results[i]), i));
    return scores;
  }

  std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest> requests,
                                                         std::span<const ScoreResult> results) {
    if (!opened_.has_summary) return std::nullopt;
    if (requests.size() != results.size())
      throw Error(ErrorCode::internal, "summarize() needs one result for each request");
    const std::string body = ask(wire::encode_summarize(requests, results), wire::FrameType::summarized,
                                 "summarising " + std::to_string(requests.size()) + " episodes");
    return decode([&] { return wire::decode_summarized(body); });
  }

  const wire::Opened& opened() const { return opened_; }

 private:
  void start() { host_.emplace(options_, "scorer"); }

  std::string ask(const std::string& frame, wire::FrameType expected, const std::string& doing) {
    if (!host_ || !host_->alive()) start();
    return host_->ask(frame, expected, options_.timeout_s, doing);
  }

  template <class Decode>
  auto decode(const Decode& decode) -> decltype(decode()) {
    try {
      return decode();
    } catch (const PluginError& error) {
      fail_protocol(error.what());
    }
  }

  [[noreturn]] void fail_protocol(const std::string& what) {
    const std::string title = host_->title();
    host_.reset();
    throw PluginError(PluginFailure::protocol, title + ": " + what);
  }

  ScoreResult judge(wire::EpisodeResult&& answer, size_t index) {
    const auto outcome = answer.outcome;
    if (outcome == wire::Outcome::scored || outcome == wire::Outcome::failed) return std::move(answer.result);
    const std::string text = outcome_text(answer, index);
    if (!options_.skip_failures)
      throw PluginError(
          outcome == wire::Outcome::unwritten ? PluginFailure::unwritten : PluginFailure::not_finite,
          host_->title() + ": " + text);
    answer.result.error = text;
    return std::move(answer.result);
  }

  ScorerOptions options_;
  std::optional<HostProcess> host_;
  wire::Opened opened_;
};

ScorerHost::ScorerHost(ScorerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
ScorerHost::~ScorerHost() = default;
ScorerHost::ScorerHost(ScorerHost&&) noexcept = default;
ScorerHost& ScorerHost::operator=(ScorerHost&&) noexcept = default;

std::vector<ScoreResult> ScorerHost::score(std::span<const ScoreRequest> requests) {
  return state_->score(requests);
}
std::optional<std::map<std::string, double>> ScorerHost::summarize(std::span<const ScoreRequest> requests,
                                                                   std::span<const ScoreResult> results) {
  return state_->summarize(requests, results);
}
const std::string& ScorerHost::name() const { return state_->opened().name; }
const std::string& ScorerHost::version() const { return state_->opened().version; }

}  // namespace rft::plugins
