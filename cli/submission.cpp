#include "cli/submission.h"

#include "cli/job_feed.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace fs = std::filesystem;
namespace {

constexpr auto kRestartTakes = std::chrono::seconds(5);  // of a service manager

}  // namespace

Json submit_folder(Client& client, const fs::path& folder) {
  const fs::path absolute = fs::absolute(folder).lexically_normal();
  if (!fs::is_directory(absolute))
    throw Error(ErrorCode::not_found, absolute.string() + " is not a folder; a job folder holds a job.toml",
                "FOLDER");
  // The daemon copies the folder before it answers, however large it is.
  return client.ask("submit", {{"folder", absolute.string()}}, std::chrono::minutes(30)).at("job");
}

Json checked_job(Client& client, int64_t job) {
  using Clock = std::chrono::steady_clock;
  JobFeed feed(client, job);
  for (auto deadline = Clock::time_point::max();;) {
    const JobUpdate update = feed.next(deadline);
    if (update.kind == JobUpdate::Kind::timeout)
      throw Unreachable("the daemon has gone while it checked job " + std::to_string(job) +
                        "; it goes on with the job once it is started again, and rftctl show " +
                        std::to_string(job) + " tells then");
    deadline = update.kind == JobUpdate::Kind::lost ? Clock::now() + kRestartTakes : Clock::time_point::max();
    const bool whole = update.kind == JobUpdate::Kind::snapshot || update.topic == "status";
    if (whole && text_of(update.data, "state") != "checking") return update.data;
  }
}

int report_submission(Session& session, const Json& job) {
  session.out.value(job);
  session.out.line(headline(session.out.style(), job));
  if (text_of(job, "state") != "rejected") return kOk;
  session.out.note("the folder is kept, with its REASON.txt, in " + text_of(job, "folder"));
  return kRejected;
}

}  // namespace rft::cli
