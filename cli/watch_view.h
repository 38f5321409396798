// What `watch` shows of a job: the picture that is redrawn in place on a terminal, and the lines that are
// written elsewhere. Both are made from the same state, which updates of the job's feed bring forward. Pure:
// nothing is written here.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/format.h"
#include "cli/job_feed.h"

namespace rft::cli {

class WatchView {
 public:
  explicit WatchView(const Style& style) : style_(style) {}
  // Of the window, which people resize.
  void set_width(int columns) { style_.width = columns; }

  // Rows of metrics.jsonl, to begin with.
  void add_history(const Json& rows);
  // Takes the update in and answers the lines to be written where nothing is redrawn: one for each iteration,
  // validation, warning and change of state, none for progress.
  std::vector<std::string> update(const JobUpdate& update);
  // The picture, in lines of at most the style's width.
  std::vector<std::string> picture() const;

  const Json& job() const { return job_; }

 private:
  std::vector<std::string> job_changed(const Json& job);
  void take_scorer(const Json& scored);
  void take_metrics(int64_t iteration, const Json& values);
  size_t width() const { return static_cast<size_t>(style_.width); }
  std::string bar_of(double share, Colour colour) const;
  std::string progress_line() const;
  std::string iteration_line() const;
  std::vector<std::string> score_lines() const;
  std::vector<std::string> warning_lines() const;

  Style style_;
  Json job_ = Json::object();
  bool lost_ = false;
  std::map<int64_t, double> scores_;       // rollout/score_mean by iteration
  std::map<int64_t, double> validations_;  // of the metric that is validated, by iteration
  int64_t scorer_swaps_ = 0;               // before what these two hold
  std::deque<std::string> log_;            // the last lines
};

}  // namespace rft::cli
