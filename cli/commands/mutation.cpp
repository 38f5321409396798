#include "cli/commands/mutation.h"

#include "cli/job_text.h"

namespace rft::cli {

Run define_mutation(CLI::App& app, const std::string& verb) {
  const auto jobs = std::make_shared<std::vector<std::string>>();
  app.add_option("JOB", *jobs, "Number or name")->required();
  return [jobs, verb](Session& session) {
    int exit_code = kOk;
    Json changed = Json::array();
    for (const std::string& job : *jobs) {
      try {
        const Json after = session.client.ask(verb, {{"job", job}}).at("job");
        session.out.line(headline(session.out.style(), after));
        changed.push_back(after);
      } catch (const Unreachable&) {
        throw;
      } catch (const Error& error) {
        if (jobs->size() == 1) throw;
        session.out.note("rftctl: " + std::string(error.what()));
        changed.push_back({{"error", {{"code", to_string(error.code())}, {"message", error.what()}}}});
        exit_code = exit_code_of(error);
      }
    }
    session.out.value(jobs->size() == 1 ? changed.front() : changed);
    return exit_code;
  };
}

}  // namespace rft::cli
