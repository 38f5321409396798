#include "cli/commands/commands.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

std::string details_of(const Json& job, const Style& style) {
  std::string text = headline(style, job) + "\n";
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    std::string label = "  " + name;
    label.resize(std::max<size_t>(label.size() + 1, 14), ' ');
    text += label + value + "\n";
  };
  const auto time = [&](const char* name) {
    const std::string utc = text_of(job, name);
    return utc.empty() ? "" : utc + " (" + age_text(utc) + " ago)";
  };
  const auto count = [](int64_t number, const char* none) {
    return number > 0 ? whole(number) : std::string(none);
  };
  add("model", text_of(job, "model"));
  add("scorer", text_of(job, "scorer"));
  add("progress", progress_cell(job));
  for (const std::string& line : validation_lines(job)) add("scores", line);
  add("attempts", whole(whole_of(job, "attempt")) + " started, " + whole(whole_of(job, "num_failures")) +
                      " failed of at most " + whole(whole_of(job, "max_attempts")));
  add("resources", whole_of(job, "gpus") > 0 ? whole(whole_of(job, "gpus")) + " GPUs"
                                             : count(whole_of(job, "cores"), "all") + " CPU cores");
  add("created", time("created_at"));
  add("started", time("started_at"));
  add("finished", time("finished_at"));
  add("next attempt", text_of(job, "next_attempt_at"));
  add("folder", text_of(job, "folder"));
  return text;
}

}  // namespace

Run define_show(CLI::App& app) {
  const auto job = std::make_shared<std::string>();
  const auto plan = std::make_shared<bool>(false);
  app.add_option("JOB", *job, "Number or name")->required();
  app.add_flag("--plan", *plan, "Print the job's configuration with every value resolved, as TOML");
  return [job, plan](Session& session) {
    const Json result = session.client.ask("show", {{"job", *job}, {"plan", *plan}});
    session.out.value(*plan ? result : result.at("job"));
    session.out.text(*plan ? result.at("plan").get<std::string>()
                           : details_of(result.at("job"), session.out.style()));
    return kOk;
  };
}

}  // namespace rft::cli
