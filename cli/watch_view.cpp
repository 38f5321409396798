#include "cli/watch_view.h"

#include <algorithm>
#include <cmath>

#include "cli/exit_code.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

constexpr size_t kLogLines = 3;
constexpr size_t kWarningLines = 3;
constexpr size_t kChartHeight = 5;

std::vector<double> values_of(const std::map<int64_t, double>& points) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const auto& [iteration, value] : points) values.push_back(value);
  return values;
}

std::string metrics_line(int64_t iteration, int64_t num_iterations, const Json& values) {
  std::string line = "iteration " + whole(iteration);
  if (num_iterations > 0) line += "/" + whole(num_iterations);
  const auto add = [&](const char* name, const char* key, int digits, const char* unit = "") {
    const double value = number_of(values, key);
    if (std::isfinite(value)) line += std::string("  ") + name + " " + number(value, digits) + unit;
  };
  add("score", "rollout/score_mean", 3);
  add("kl", "objective/kl_to_reference", 4);
  add("entropy", "policy/entropy", 3);
  add("clip", "policy/clip_fraction", 3);
  add("length", "rollout/completion_length", 1);
  add("tokens/s", "throughput/rollout_tokens_per_s", 0);
  constexpr double kWorthTelling = 0.005;  // seconds
  if (number_of(values, "time/score_wait_s") >= kWorthTelling)
    add("scorer wait", "time/score_wait_s", 2, " s");
  return line;
}

std::string validation_line(const Json& event) {
  const std::string stage = text_of(event, "stage");
  const bool gained = stage == "epoch" && flag_of(event, "best");
  return text_of(event, "split") + " (" + stage + "): " + text_of(event, "metric") + " " +
         number(number_of(event, "value"), 4) + (gained ? ", the best so far" : "");
}

}  // namespace

void WatchView::add_history(const Json& rows) {
  for (const Json& row : rows) {
    take_scorer(row);
    take_metrics(whole_of(row, "iteration"), row);
  }
}

// What another scorer gave does not go into one picture with the present one's.
void WatchView::take_scorer(const Json& scored) {
  const int64_t swaps = whole_of(scored, "scorer_swaps");
  if (swaps <= scorer_swaps_) return;
  scorer_swaps_ = swaps;
  scores_.clear();
  validations_.clear();
}

void WatchView::take_metrics(int64_t iteration, const Json& values) {
  if (const double score = number_of(values, "rollout/score_mean"); std::isfinite(score))
    scores_[iteration] = score;
}

std::vector<std::string> WatchView::update(const JobUpdate& update) {
  switch (update.kind) {
    case JobUpdate::Kind::timeout:
      return {};
    case JobUpdate::Kind::lost:
      if (std::exchange(lost_, true)) return {};
      return {"the daemon has gone; waiting for it to come back"};
    case JobUpdate::Kind::snapshot: {
      std::vector<std::string> lines;
      if (std::exchange(lost_, false)) lines.push_back("the daemon is back");
      std::ranges::move(job_changed(update.data), std::back_inserter(lines));
      return lines;
    }
    case JobUpdate::Kind::event:
      break;
  }
  const Json& event = update.data;
  if (update.topic == "status") return job_changed(event);
  if (update.topic == "progress") {
    job_["progress"] = event;
  } else if (update.topic == "metrics") {
    take_scorer(event);
    const int64_t iteration = whole_of(event, "iteration");
    const Json values = part_of(event, "values");
    take_metrics(iteration, values);
    if (!values.contains("rollout/score_mean")) return {};  // of a validation, which has an event of its own
    return {metrics_line(iteration, whole_of(part_of(job_, "progress"), "num_iterations"), values)};
  } else if (update.topic == "validation") {
    take_scorer(event);
    if (!job_["validation"].is_object()) job_["validation"] = Json::object();
    job_["validation"][text_of(event, "stage") + "/" + text_of(event, "split")] = event;
    if (flag_of(event, "best") && text_of(event, "split") == "validation") job_["validation"]["best"] = event;
    if (text_of(event, "split") == "validation")
      validations_[whole_of(event, "iteration")] = number_of(event, "value");
    return {validation_line(event)};
  } else if (update.topic == "log") {
    const std::string level = text_of(event, "level");
    const std::string line = (level == "info" ? "" : level + ": ") + one_line(text_of(event, "message"));
    if (level == "warning") {
      if (!job_["warnings"].is_array()) job_["warnings"] = Json::array();
      job_["warnings"].push_back(text_of(event, "message"));
      return {line};
    }
    log_.push_back(line);
    if (log_.size() > kLogLines) log_.pop_front();
    if (level != "info") return {line};
  } else if (update.topic == "scorer") {
    if (!flag_of(event, "taken")) return {};  // a warning says why
    job_["scorer"] = text_of(event, "scorer");
    return {"scorer " + scorer_title(event) + " in the place of " + text_of(event, "before") +
            " after iteration " + whole(whole_of(event, "iteration"))};
  } else if (update.topic == "checkpoint") {
    return {"checkpoint " + text_of(event, "path")};
  }
  return {};
}

std::vector<std::string> WatchView::job_changed(const Json& job) {
  const bool same = text_of(job, "state") == text_of(job_, "state") &&
                    text_of(job, "reason") == text_of(job_, "reason") &&
                    whole_of(job, "attempt") == whole_of(job_, "attempt");
  job_ = job;
  const Json validation = part_of(job, "validation");
  for (const auto& [stage, message] : validation.items()) take_scorer(message);
  for (const auto& [stage, message] : validation.items())
    if (whole_of(message, "scorer_swaps") == scorer_swaps_ && text_of(message, "split") == "validation")
      validations_[whole_of(message, "iteration")] = number_of(message, "value");
  if (same || is_finished(text_of(job, "state"))) return {};  // the end has a line of its own
  return {headline(style_, job_)};
}

// The figures behind it matter more: in a narrow window it is short.
std::string WatchView::bar_of(double share, Colour colour) const {
  return paint(style_, colour, bar(share, std::clamp(style_.width - 50, 5, 30)));
}

std::string WatchView::progress_line() const {
  const Json progress = part_of(job_, "progress");
  if (text_of(job_, "state") != "running" || progress.empty()) return "";
  const double done = number_of(progress, "done"), total = number_of(progress, "total");
  std::string phase = text_of(progress, "phase");
  phase.resize(std::max<size_t>(phase.size(), 10), ' ');
  std::string line = phase + " " + bar_of(done / total, Colour::blue) + " " +
                     whole(whole_of(progress, "done")) + "/" + whole(whole_of(progress, "total")) + " " +
                     text_of(progress, "unit");
  const double rate = done / number_of(progress, "elapsed_s");
  if (std::isfinite(rate) && rate > 0) line += ", " + number(rate, rate < 10 ? 1 : 0) + "/s";
  return line;
}

std::string WatchView::iteration_line() const {
  const Json progress = part_of(job_, "progress");
  if (text_of(job_, "state") != "running" || whole_of(progress, "num_iterations") == 0) return "";
  const double iteration = number_of(progress, "iteration"), total = number_of(progress, "num_iterations");
  std::string line = "iteration  " + bar_of((iteration - 1) / total, Colour::green) + " " +
                     whole(whole_of(progress, "iteration")) + "/" +
                     whole(whole_of(progress, "num_iterations"));
  if (whole_of(progress, "num_epochs") > 0)
    line += ", epoch " + whole(whole_of(progress, "epoch")) + "/" + whole(whole_of(progress, "num_epochs"));
  if (const double eta = number_of(progress, "eta_s"); std::isfinite(eta))
    line += ", " + duration_text(eta) + " left";
  return line;
}

std::vector<std::string> WatchView::score_lines() const {
  std::vector<std::string> lines;
  const std::vector<double> scores = values_of(scores_);
  const size_t chart_width = width() > 20 ? width() - 10 : 10;  // less its range at the left
  if (scores.size() >= 2) {
    lines.push_back("score of the rollouts, by iteration (now " + number(scores.back(), 3) + ")");
    std::ranges::move(chart(scores, chart_width, kChartHeight), std::back_inserter(lines));
  } else if (scores.size() == 1) {
    lines.push_back("score of the rollouts: " + number(scores.back(), 3));
  }
  std::vector<std::string> validations = validation_lines(job_);
  if (!validations.empty() && validations_.size() >= 2)
    validations.front() += "  " + sparkline(values_of(validations_), 30);
  std::ranges::move(validations, std::back_inserter(lines));
  return lines;
}

// The last few, which stay in the picture while the log goes by.
std::vector<std::string> WatchView::warning_lines() const {
  std::vector<std::string> lines;
  const Json warnings = job_.is_object() ? job_.value("warnings", Json()) : Json();
  if (!warnings.is_array()) return lines;
  for (size_t i = warnings.size() - std::min(warnings.size(), kWarningLines); i < warnings.size(); ++i) {
    if (!warnings[i].is_string()) continue;
    lines.push_back(paint(style_, Colour::yellow, "warning: " + one_line(warnings[i].get<std::string>())));
  }
  return lines;
}

std::vector<std::string> WatchView::picture() const {
  std::vector<std::string> lines = {headline(style_, job_)};
  if (lost_)
    lines.push_back(paint(style_, Colour::yellow, "the daemon has gone; waiting for it to come back"));
  for (const std::string& line : {iteration_line(), progress_line()})
    if (!line.empty()) lines.push_back(line);
  std::ranges::move(score_lines(), std::back_inserter(lines));
  std::ranges::move(warning_lines(), std::back_inserter(lines));
  for (const std::string& line : log_) lines.push_back(paint(style_, Colour::dim, line));
  for (std::string& line : lines) line = cut(line, width());
  return lines;
}

}  // namespace rft::cli
