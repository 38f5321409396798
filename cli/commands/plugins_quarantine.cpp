#include "cli/commands/plugins_quarantine.h"

#include "cli/job_text.h"

namespace rft::cli {

int explain_quarantine(Session& session, const std::string& plugin) {
  const Json result = session.client.ask("plugins.why", {{"plugin", plugin}});
  session.out.value(result.at("reports"));
  for (const Json& report : result.at("reports")) {
    session.out.line(text_of(report, "name") + " " + text_of(report, "digest"));
    session.out.line("  " + text_of(report, "failure") + " in job " + whole(whole_of(report, "job")) +
                     " at " + text_of(report, "at") + ": " + indented(text_of(report, "reason")));
    session.out.line("  what it was asked: " + text_of(report, "input"));
    session.out.line("  to see it again:   " + text_of(report, "command"));
    session.out.line("                     (its last batch alone, in a new process)");
    session.out.line("  to let it run:     rftctl plugins release " +
                     text_of(report, "digest").substr(0, 12));
  }
  return kOk;
}

int release_from_quarantine(Session& session, const std::string& plugin) {
  const Json result = session.client.ask("plugins.release", {{"plugin", plugin}});
  if (result.at("released").empty())
    throw Error(ErrorCode::not_found, "no plugin \"" + plugin + "\" is in quarantine; see rftctl plugins ls",
                "plugin");
  session.out.value(result.at("released"));
  for (const Json& report : result.at("released"))
    session.out.line(text_of(report, "name") + " " + text_of(report, "digest").substr(0, 12) +
                     " is out of quarantine: jobs may name it again");
  return kOk;
}

}  // namespace rft::cli
