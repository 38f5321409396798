// What scores completions (Scorer), and a scorer in a process of its own (ScorerHost). The caller hands over
// batches of completions and gets a score for each; whatever the scorer does (crash, hang, throw, answer NaN)
// comes back as a PluginError and ends at most its own process. Not thread-safe. The process dies with the
// thread that started it (the one that called the constructor, or score() after a failure), so that thread
// must live as long as the ScorerHost.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plugins/host_options.h"
#include "plugins/plugin_error.h"

namespace rft::plugins {

// What a job hands over at most in one call, and so what one deadline covers.
inline constexpr size_t kEpisodesPerBatch = 128;

struct ScoreRequest {
  std::string prompt;  // the prompt's text as the user gave it, or its messages as JSON text
  std::string completion;
  std::string record_json;    // the whole record, one JSON object
  std::string finish_reason;  // eos | stop | length
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  double generation_s = 0;
};

struct ScoreResult {
  std::optional<double> score;  // finite; absent: this episode's scoring failed, and `error` says why
  std::string error;
  PluginFailure failure = PluginFailure::threw;  // of an episode without a score
  bool valid = true;  // whether the completion was of the form that the scorer expects
  std::string reason;
  std::vector<std::pair<std::string, double>> sub_scores;  // finite
  std::vector<ScoreResult> parts;  // of a composite: what each of its scorers answered, in their order
};

// "TITLE: what went wrong; the completion was …, its record is …".
PluginError episode_failure(const std::string& title, const ScoreRequest& request, const ScoreResult& result);

using ScorerOptions = HostOptions;

class Scorer {
 public:
  Scorer() = default;
  virtual ~Scorer() = default;
  Scorer(Scorer&&) noexcept = default;
  Scorer& operator=(Scorer&&) noexcept = default;

  // One result per request, in order. An episode that the scorer declares failed, or whose score is NaN,
  // infinite or unwritten, has no score; the others keep theirs. Throws PluginError where the batch failed.
  // After a crash, a hang or a broken protocol the process is gone with everything that it started; the next
  // call starts a new one.
  virtual std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) = 0;

  // What an episode without a score says to people: the scorer, its words, the completion and the record.
  virtual PluginError failure_of(const ScoreRequest& request, const ScoreResult& result) const = 0;

  // Capability rft.summary/1, over a whole split: named finite numbers. Nothing if the scorer has none.
  // Throws PluginError, also for a number that is not finite. `results` are those of `requests`.
  virtual std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest> requests,
                                                                 std::span<const ScoreResult> results) = 0;
};

class ScorerHost : public Scorer {
 public:
  // Starts the process, loads the scorer and creates its instance. Throws PluginError.
  explicit ScorerHost(ScorerOptions options);
  ~ScorerHost() override;  // gives it a second to end by itself, then kills it and all that it started
  ScorerHost(ScorerHost&&) noexcept;
  ScorerHost& operator=(ScorerHost&&) noexcept;

  std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) override;
  PluginError failure_of(const ScoreRequest& request, const ScoreResult& result) const override;
  std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest> requests,
                                                         std::span<const ScoreResult> results) override;

  const std::string& name() const;     // as the plugin's note says, or the file's name
  const std::string& version() const;  // empty for scripts and commands
  int64_t memory_bytes() const;        // that its processes hold; 0 where they are gone

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace rft::plugins
