#include "cli/commands/commands.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

constexpr int kDefaultLimit = 50;
constexpr int kMaxLimit = 10'000;

struct ListOptions {
  std::vector<std::string> states;
  std::string name;
  int limit = kDefaultLimit;
  bool all = false;
};

std::string job_table(const Json& jobs, const Style& style) {
  Table table({"ID", "NAME", "STATE", "AGE", "VALIDATION", "PROGRESS OR REASON"}, {0});
  for (const Json& job : jobs) {
    const std::string state = text_of(job, "state");
    const int64_t id = whole_of(job, "id");
    std::string what = progress_cell(job);
    if (what.empty()) what = first_line(text_of(job, "reason"));
    table.add({id > 0 ? whole(id) : "-", cut(one_line(text_of(job, "name")), 32),
               paint(style, colour_of_state(state), state), age_text(text_of(job, "created_at")),
               validation_cell(job), what});
  }
  return table.text(style);
}

int list_jobs(const ListOptions& options, Session& session) {
  Json args = {{"limit", options.all ? kMaxLimit : options.limit}};
  if (!options.states.empty()) args["states"] = options.states;
  if (!options.name.empty()) args["name"] = options.name;
  const Json jobs = session.client.ask("ls", args).at("jobs");
  session.out.value(jobs);
  if (jobs.empty()) {
    const std::string incoming = (session.client.home() / "incoming").string();
    session.out.note(options.states.empty() && options.name.empty()
                         ? "no jobs yet: drop a job folder into " + incoming + ", or rftctl submit FOLDER"
                         : "no such jobs");
    return kOk;
  }
  session.out.text(job_table(jobs, session.out.style()));
  if (!options.all && jobs.size() == static_cast<size_t>(options.limit))
    session.out.note("the newest " + std::to_string(options.limit) + " only; all of them: rftctl ls --all");
  return kOk;
}

}  // namespace

Run define_ls(CLI::App& app) {
  const auto options = std::make_shared<ListOptions>();
  app.add_option("--state", options->states, "Only jobs in this state; may be repeated")
      ->type_name("STATE")
      ->take_all()
      ->expected(1)
      ->check(CLI::IsMember({"settling", "checking", "queued", "running", "paused", "retrying", "succeeded",
                             "failed", "cancelled", "rejected"}));
  app.add_option("--name", options->name, "Only jobs of this name")->type_name("NAME");
  app.add_option("--limit", options->limit, "The newest so many")
      ->check(CLI::Range(1, kMaxLimit))
      ->capture_default_str();
  app.add_flag("--all", options->all, "All jobs, up to 10000");
  return [options](Session& session) { return list_jobs(*options, session); };
}

}  // namespace rft::cli
