#include "plugins/scorer_host.h"

#include <optional>

#include "base/cut_text.h"
#include "base/files.h"
#include "plugins/host_process.h"

namespace rft::plugins {
namespace {

constexpr size_t kMaxSubScores = 256;
constexpr size_t kMaxExcerptBytes = 200;  // of a completion or a record in a message

std::string batch_text(size_t size) {
  return "scoring a batch of " + std::to_string(size) + (size == 1 ? " episode" : " episodes");
}

// As `rft-plugin-host score` reads it.
std::string lines_of(std::span<const ScoreRequest> requests) {
  std::string lines;
  for (const ScoreRequest& request : requests) {
    const Json line{{"prompt", request.prompt},
                    {"completion", request.completion},
                    {"record", parse_json(request.record_json, "a record")},
                    {"finish_reason", request.finish_reason},
                    {"prompt_tokens", request.prompt_tokens},
                    {"completion_tokens", request.completion_tokens},
                    {"generation_s", request.generation_s}};
    lines += dump_json(line) + "\n";
  }
  return lines;
}

// Completes the result of an episode that has no score, or more than it may have.
void judge(wire::EpisodeResult& answer) {
  ScoreResult& result = answer.result;
  if (answer.outcome == wire::Outcome::not_finite) result.failure = PluginFailure::not_finite;
  if (answer.outcome == wire::Outcome::failed && HostProcess::tells_of_lack_of_memory(result.error))
    result.failure = PluginFailure::out_of_memory;
  if (answer.outcome == wire::Outcome::unwritten) {
    result.failure = PluginFailure::unwritten;
    result.error = "it left the score unwritten";
  }
  if (result.sub_scores.size() > kMaxSubScores) {
    result = {.error = "it answered " + std::to_string(result.sub_scores.size()) +
                       " sub-scores; the most is " + std::to_string(kMaxSubScores),
              .failure = PluginFailure::protocol};
  }
}

}  // namespace

PluginError episode_failure(const std::string& title, const ScoreRequest& request,
                            const ScoreResult& result) {
  return {result.failure, title + ": " + result.error + "; the completion was " +
                              dump_json(cut_text(request.completion, kMaxExcerptBytes)) + ", its record is " +
                              cut_text(request.record_json, kMaxExcerptBytes)};
}

class ScorerHost::State {
 public:
  explicit State(ScorerOptions options) : options_(std::move(options)) {
    start();
    opened_ = host_->plugin();
    title_ = host_->title();
  }

  std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) {
    if (requests.empty()) return {};
    const std::string body =
        ask(wire::encode_score(requests), wire::FrameType::scored, batch_text(requests.size()), requests);
    auto results = decode([&] { return wire::decode_scored(body); });
    if (results.size() != requests.size())
      fail_protocol("its process answered for another number of episodes");
    std::vector<ScoreResult> scores;
    scores.reserve(results.size());
    bool out_of_memory = false;
    for (wire::EpisodeResult& result : results) {
      judge(result);
      ScoreResult& score = scores.emplace_back(std::move(result.result));
      if (score.score) continue;
      out_of_memory = out_of_memory || score.failure == PluginFailure::out_of_memory;
      score.error = host_->explained(std::move(score.error));
    }
    if (out_of_memory) {
      keep(requests);
      host_.reset();  // what it leaked is still there
    }
    return scores;
  }

  PluginError failure_of(const ScoreRequest& request, const ScoreResult& result) const {
    return episode_failure(title_, request, result);
  }

  std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest> requests,
                                                         std::span<const ScoreResult> results) {
    if (!opened_.has_summary) return std::nullopt;
    if (requests.size() != results.size())
      throw Error(ErrorCode::internal, "summarize() needs one result for each request");
    const std::string body = ask(wire::encode_summarize(requests, results), wire::FrameType::summarized,
                                 "summarising " + std::to_string(requests.size()) + " episodes", requests);
    return decode([&] { return wire::decode_summarized(body); });
  }

  const wire::Opened& opened() const { return opened_; }
  int64_t memory_bytes() const { return host_ && host_->alive() ? host_->memory_bytes() : 0; }

 private:
  void start() {
    try {
      host_.emplace(options_, "scorer");
    } catch (const PluginError&) {
      keep({});  // it was asked nothing yet
      throw;
    }
  }

  std::string ask(const std::string& frame, wire::FrameType expected, const std::string& doing,
                  std::span<const ScoreRequest> requests) {
    if (!host_ || !host_->alive()) start();
    try {
      return host_->ask(frame, expected, options_.timeout_s, doing, "[scorer] timeout_s");
    } catch (const PluginError&) {
      if (!host_->alive()) keep(requests);
      throw;
    }
  }

  void keep(std::span<const ScoreRequest> requests) const {
    if (!options_.failed_input.empty()) write_file_atomically(options_.failed_input, lines_of(requests));
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
    host_.reset();
    throw PluginError(PluginFailure::protocol, title_ + ": " + what);
  }

  ScorerOptions options_;
  std::optional<HostProcess> host_;
  wire::Opened opened_;
  std::string title_;
};

ScorerHost::ScorerHost(ScorerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
ScorerHost::~ScorerHost() = default;
ScorerHost::ScorerHost(ScorerHost&&) noexcept = default;
ScorerHost& ScorerHost::operator=(ScorerHost&&) noexcept = default;

std::vector<ScoreResult> ScorerHost::score(std::span<const ScoreRequest> requests) {
  return state_->score(requests);
}
PluginError ScorerHost::failure_of(const ScoreRequest& request, const ScoreResult& result) const {
  return state_->failure_of(request, result);
}
std::optional<std::map<std::string, double>> ScorerHost::summarize(std::span<const ScoreRequest> requests,
                                                                   std::span<const ScoreResult> results) {
  return state_->summarize(requests, results);
}
const std::string& ScorerHost::name() const { return state_->opened().name; }
const std::string& ScorerHost::version() const { return state_->opened().version; }
int64_t ScorerHost::memory_bytes() const { return state_->memory_bytes(); }

}  // namespace rft::plugins
