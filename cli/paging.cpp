#include "cli/paging.h"

#include <optional>

#include "cli/job_feed.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

using Clock = std::chrono::steady_clock;
// The file is looked at again at most so often while it grows.
constexpr auto kFollowInterval = std::chrono::milliseconds(200);

// Waits until something has happened to the job and the daemon is there. Answers whether the job has
// finished.
bool await_change(JobFeed& feed) {
  bool finished = false, here = false;
  auto deadline = Clock::time_point::max();
  for (;;) {
    const JobUpdate update = feed.next(deadline);
    if (update.kind == JobUpdate::Kind::timeout) return finished;
    here = update.kind != JobUpdate::Kind::lost;
    if (update.kind == JobUpdate::Kind::snapshot || update.topic == "status")
      finished = is_finished(text_of(update.data, "state"));
    if (finished) return true;
    // What follows shortly is read in one go with it.
    if (!here)
      deadline = Clock::time_point::max();
    else if (deadline == Clock::time_point::max())
      deadline = Clock::now() + kFollowInterval;
    else if (Clock::now() >= deadline)
      return finished;
  }
}

}  // namespace

void add_paging_options(CLI::App& app, PagingOptions& options) {
  app.add_option("JOB", options.job, "Number or name")->required();
  app.add_option("--last,-n", options.last, "Only the last so many")->check(CLI::Range(1, 10'000));
  app.add_flag("--follow,-f", options.follow, "Go on until the job has finished");
}

int print_pages(Session& session, const std::string& verb, Json args, const PagingOptions& options,
                const std::function<void(const Json&)>& print) {
  const int64_t job = whole_of(find_job(session.client, options.job), "id");
  args["job"] = job;  // the name may mean a newer one by the next page
  std::optional<JobFeed> feed;
  if (options.follow) feed.emplace(session.client, job);
  if (options.last > 0) args["tail"] = options.last;

  bool finished = !options.follow;
  for (;;) {
    const Json page = session.client.ask(verb, args);
    print(page);
    const bool moved = page.at("next_offset") != page.at("offset");
    args.erase("tail");
    args["offset"] = page.at("next_offset");
    if (moved && page.at("next_offset") < page.at("size")) continue;
    if (finished) return kOk;
    finished = await_change(*feed);
  }
}

}  // namespace rft::cli
