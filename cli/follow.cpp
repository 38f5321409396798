#include "cli/follow.h"

#include <chrono>

#include "cli/job_feed.h"
#include "cli/job_text.h"
#include "cli/screen.h"
#include "cli/watch_view.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr int64_t kHistoryRows = 2000;

Json json_of(const JobUpdate& update) {
  switch (update.kind) {
    case JobUpdate::Kind::snapshot:
      return {{"type", "snapshot"}, {"job", update.data}};
    case JobUpdate::Kind::event:
      return {{"type", update.topic}, {"data", update.data}};
    default:
      return {{"type", "daemon_lost"}};
  }
}

Json history(Session& session, int64_t job) {
  try {
    return session.client.ask("metrics", {{"job", job}, {"tail", kHistoryRows}}).at("rows");
  } catch (const Error&) {
    return Json::array();  // a job that has no folder, such as a rejected one, has no history either
  }
}

void follow_in_lines(const Output& out, JobFeed& feed, WatchView& view) {
  while (!is_finished(text_of(view.job(), "state"))) {
    const JobUpdate update = feed.next(Clock::time_point::max());
    for (const std::string& line : view.update(update)) out.line(line);
    out.value(json_of(update));
  }
}

void follow_on_screen(JobFeed& feed, WatchView& view) {
  Screen screen;
  const auto draw = [&] {
    view.set_width(screen.width());
    screen.draw(view.picture());
  };
  auto next_draw = Clock::now();
  bool drawn = true;
  while (!is_finished(text_of(view.job(), "state"))) {
    const JobUpdate update = feed.next(drawn ? Clock::time_point::max() : next_draw, screen.descriptor());
    view.update(update);
    const bool had_input = screen.take_input();
    if (had_input || update.kind != JobUpdate::Kind::timeout) drawn = false;
    if (drawn || Clock::now() < next_draw) continue;
    draw();
    next_draw = Clock::now() + kRedrawInterval;
    drawn = true;
  }
  draw();
}

}  // namespace

int follow_job(Session& session, int64_t job) {
  const Output& out = session.out;
  JobFeed feed(session.client, job);
  WatchView view(out.style());
  view.add_history(history(session, job));
  if (out.style().terminal && !out.json())
    follow_on_screen(feed, view);
  else
    follow_in_lines(out, feed, view);
  out.line(outcome_line(out.style(), view.job()));
  return exit_code_of_state(text_of(view.job(), "state"));
}

}  // namespace rft::cli
