#include "cli/arrival.h"
#include "cli/commands/commands.h"
#include "cli/follow.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

// The newest job that is not finished, or else the newest.
int64_t newest_job(Client& client) {
  const Json jobs = client.ask("ls", {{"limit", 100}}).at("jobs");
  int64_t newest = 0;
  for (const Json& job : jobs) {
    const int64_t id = whole_of(job, "id");
    if (id > 0 && !is_finished(text_of(job, "state"))) return id;
    if (newest == 0) newest = id;
  }
  if (newest == 0)
    throw Error(ErrorCode::not_found, "there is no job to watch; submit one with: rftctl submit FOLDER");
  return newest;
}

}  // namespace

Run define_watch(CLI::App& app) {
  const auto job = std::make_shared<std::string>();
  app.add_option("JOB", *job, "Number or name (default: the newest that is not finished)");
  return [job](Session& session) {
    return follow_job(session,
                      job->empty() ? newest_job(session.client) : arriving_job(session.client, *job));
  };
}

}  // namespace rft::cli
