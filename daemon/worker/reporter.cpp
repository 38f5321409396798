#include "worker/reporter.h"

#include <fmt/format.h>

#include <iostream>

#include "base/clock.h"

namespace rft::worker {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(100);

}  // namespace

Reporter::Files::Files(const std::filesystem::path& job_folder)
    : log(job_folder / "log.txt"),
      metrics(job_folder / "metrics.jsonl"),
      rollouts(job_folder / "rollouts.jsonl"),
      validation(job_folder / "validation.jsonl"),
      evaluations(job_folder / "evaluations.jsonl") {}

Reporter::Reporter(const std::filesystem::path& job_folder, DaemonLink* link,
                   const std::atomic<bool>& stop_requested, const engine::Ranks& ranks)
    : link_(link), stop_requested_(stop_requested), ranks_(ranks) {
  if (ranks.first()) files_.emplace(job_folder);
}

void Reporter::restore(const FileLengths& lengths) {
  if (!files_) return;
  files_->metrics.cut_to(lengths.metrics);
  files_->rollouts.cut_to(lengths.rollouts);
  files_->validation.cut_to(lengths.validation);
  files_->evaluations.cut_to(lengths.evaluations);
}

void Reporter::advance(std::string_view phase, int64_t done, int64_t total, std::string_view unit) {
  const auto now = Clock::now();
  const bool new_phase = phase != phase_ || done == 0;
  if (new_phase) {
    phase_ = phase;
    phase_start_ = now;
  }
  if (!link_ || (!new_phase && done != total && now - last_progress_ < kProgressInterval)) return;
  last_progress_ = now;
  const double elapsed = seconds_since(phase_start_);
  Json message = {{"type", "progress"},
                  {"phase", phase},
                  {"done", done},
                  {"total", total},
                  {"unit", unit},
                  {"elapsed_s", elapsed},
                  {"iteration", position_.iteration},
                  {"num_iterations", position_.num_iterations},
                  {"epoch", position_.epoch},
                  {"num_epochs", position_.num_epochs}};
  // The job's own end is foreseen from the iterations of this attempt, validations included.
  const int64_t iterations_done = position_.iteration - first_iteration_;
  if (position_.iteration > 0 && iterations_done > 0) {
    const double per_iteration = seconds_since(first_iteration_start_) / static_cast<double>(iterations_done);
    message["eta_s"] =
        per_iteration * static_cast<double>(position_.num_iterations - position_.iteration + 1);
  }
  send(message);
}

void Reporter::set_position(const RunPosition& position) {
  if (position.iteration > 0 && first_iteration_ == 0) {
    first_iteration_ = position.iteration;
    first_iteration_start_ = Clock::now();
  }
  position_ = position;
}

void Reporter::write_log(const std::string& level, const std::string& message) {
  if (!files_) return;
  const std::string line = utc_now() +
                           (level == "info"      ? " "
                            : level == "warning" ? " WARNING "
                                                 : " ERROR ") +
                           message;
  files_->log.append_line(line);
  if (!link_) std::cerr << line << std::endl;
}

void Reporter::log(const std::string& level, const std::string& message) {
  write_log(level, message);
  send({{"type", "log"}, {"level", level}, {"message", message}});
}

void Reporter::warn(const std::string& name, const std::string& message) {
  write_log("warning", name + ": " + message);  // its subscribers are told once, by the warning itself
  send({{"type", "warning"}, {"name", name}, {"message", message}});
}

void Reporter::metrics(const std::map<std::string, double>& values) {
  note_metrics(position_.iteration, position_.epoch, values);
  send(with_scorer_swaps({{"type", "metrics"},
                          {"iteration", position_.iteration},
                          {"epoch", position_.epoch},
                          {"values", Json(values)}}));
}

void Reporter::note_metrics(int64_t iteration, int64_t epoch, const std::map<std::string, double>& values) {
  if (!files_) return;
  Json line = with_scorer_swaps({{"time", utc_now()}, {"iteration", iteration}, {"epoch", epoch}});
  for (const auto& [name, value] : values) line[name] = value;
  files_->metrics.append_line(dump_json(line));
}

void Reporter::rollout(const Json& episode) {
  if (files_) files_->rollouts.append_line(dump_json(with_scorer_swaps(episode)));
}

void Reporter::evaluated(const Json& evaluation, const std::vector<Json>& episodes) {
  if (!files_) return;
  Json line = with_scorer_swaps(evaluation);
  line["offset"] = files_->validation.length();
  for (const Json& episode : episodes) files_->validation.append_line(dump_json(with_scorer_swaps(episode)));
  files_->evaluations.append_line(dump_json(line));
}

std::optional<protocol::ScorerSwap> Reporter::take_scorer_swap() {
  return link_ != nullptr ? link_->take_scorer_swap() : std::nullopt;
}

Json Reporter::with_scorer_swaps(Json line) const {
  if (scorer_swaps_ > 0) line["scorer_swaps"] = scorer_swaps_;
  return line;
}

void Reporter::send(const Json& message) {
  if (link_) link_->send(message);
}

FileLengths Reporter::sync() {
  if (!files_) return {};
  return {files_->metrics.sync(), files_->rollouts.sync(), files_->validation.sync(),
          files_->evaluations.sync()};
}

}  // namespace rft::worker
