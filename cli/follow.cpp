#include "cli/follow.h"

#include <chrono>

#include "cli/job_feed.h"
#include "cli/job_text.h"
#include "cli/watch_view.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr int64_t kHistoryRows = 2000;

// The picture on a terminal, drawn over the one before.
class Screen {
 public:
  explicit Screen(const Output& out) : out_(out) {}

  void draw(const std::vector<std::string>& lines) {
    std::string text = lines_ > 0 ? "\033[" + std::to_string(lines_) + "A" : "";
    // A line that wrapped would make the count of lines wrong: wrapping is off while the picture is drawn.
    text += "\033[?7l";
    for (const std::string& line : lines) text += "\r\033[K" + line + "\n";
    text += "\033[?7h\033[J";
    out_.text(text);
    lines_ = lines.size();
  }

 private:
  const Output& out_;
  size_t lines_ = 0;
};

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

}  // namespace

int follow_job(Session& session, int64_t job) {
  const Output& out = session.out;
  JobFeed feed(session.client, job);
  WatchView view(out.style());
  view.add_history(history(session, job));
  Screen screen(out);
  const bool redraw = out.style().terminal && !out.json();
  auto next_draw = Clock::now();
  bool drawn = true;
  for (;;) {
    const JobUpdate update = feed.next(redraw && !drawn ? next_draw : Clock::time_point::max());
    const std::vector<std::string> lines = view.update(update);
    if (update.kind != JobUpdate::Kind::timeout) {
      drawn = false;
      out.value(json_of(update));
    }
    if (!redraw)
      for (const std::string& line : lines) out.line(line);
    if (redraw && Clock::now() >= next_draw) {
      screen.draw(view.picture());
      next_draw = Clock::now() + kRedrawInterval;
      drawn = true;
    }
    const std::string state = text_of(view.job(), "state");
    if (!is_finished(state)) continue;
    if (redraw) screen.draw(view.picture());
    out.line(outcome_line(out.style(), view.job()));
    return exit_code_of_state(state);
  }
}

}  // namespace rft::cli
