#include <optional>

#include "cli/arrival.h"
#include "cli/commands/commands.h"
#include "cli/job_feed.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The job once it has finished; nothing when the time is over. A job that pauses meanwhile waits for its
// owner: a watch may have paused it.
std::optional<Json> finished_job(Session& session, int64_t job, Clock::time_point deadline) {
  JobFeed feed(session.client, job);
  for (std::string last_state;;) {
    const JobUpdate update = feed.next(deadline);
    if (update.kind == JobUpdate::Kind::timeout) return std::nullopt;
    if (update.kind != JobUpdate::Kind::snapshot && update.topic != "status") continue;
    const std::string state = text_of(update.data, "state");
    if (is_finished(state)) return update.data;
    if (state == "paused" && last_state != state) {
      const std::string id = std::to_string(job);
      session.out.note("rftctl: job " + id + " does not go on by itself: " + text_of(update.data, "reason") +
                       " (rftctl resume " + id + ")");
    }
    last_state = state;
  }
}

int wait_for(const std::vector<std::string>& jobs, double timeout_s, Session& session) {
  const auto deadline = timeout_s > 0 ? Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                           std::chrono::duration<double>(timeout_s))
                                      : Clock::time_point::max();
  int exit_code = kOk;
  for (const std::string& name : jobs) {
    const auto job = finished_job(session, arriving_job(session.client, name), deadline);
    if (!job) {
      session.out.note("rftctl: job " + name + " has not finished within " + duration_text(timeout_s));
      return kTimedOut;
    }
    session.out.line(outcome_line(session.out.style(), *job));
    session.out.value(*job);
    if (exit_code == kOk) exit_code = exit_code_of_state(text_of(*job, "state"));
  }
  return exit_code;
}

}  // namespace

Run define_wait(CLI::App& app) {
  const auto jobs = std::make_shared<std::vector<std::string>>();
  const auto timeout_s = std::make_shared<double>(0);
  app.add_option("JOB", *jobs, "Number or name")->required();
  app.add_option("--timeout", *timeout_s, "Give up after so many seconds (default: never)")
      ->check(above_zero())
      ->type_name("SECONDS");
  return [=](Session& session) { return wait_for(*jobs, *timeout_s, session); };
}

}  // namespace rft::cli
