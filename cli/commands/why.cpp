#include "cli/commands/commands.h"
#include "cli/job_text.h"

namespace rft::cli {

Run define_why(CLI::App& app) {
  const auto job = std::make_shared<std::string>();
  app.add_option("JOB", *job, "Number or name")->required();
  return [job](Session& session) {
    const Json why = session.client.ask("why", {{"job", *job}});
    session.out.value(why);
    session.out.line(whole_headline(session.out.style(), why));
    for (const Json& detail : why.at("details")) session.out.line("  " + indented(detail.get<std::string>()));
    return kOk;
  };
}

}  // namespace rft::cli
