#include "cli/commands/commands.h"
#include "cli/follow.h"
#include "cli/job_text.h"
#include "cli/submission.h"

namespace rft::cli {

Run define_submit(CLI::App& app) {
  const auto folder = std::make_shared<std::string>();
  const auto follow = std::make_shared<bool>(false);
  const auto detach = std::make_shared<bool>(false);
  app.add_option("FOLDER", *folder, "A job folder: job.toml, its data and, if need be, its scorer")
      ->required();
  app.add_flag("--follow,-f", *follow, "Watch the job until it has finished");
  app.add_flag("--detach", *detach, "Do not wait for the job to be checked")->excludes("--follow");
  return [=](Session& session) {
    const Json job = submit_folder(session.client, *folder);
    if (*follow) return follow_job(session, whole_of(job, "id"));
    return report_submission(session, *detach ? job : checked_job(session.client, whole_of(job, "id")));
  };
}

}  // namespace rft::cli
