#include <algorithm>
#include <array>

#include "cli/commands/commands.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

std::string details_of(const Json& job, const Style& style) {
  std::string text = whole_headline(style, job) + "\n";
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
  add("scorer", scorer_cell(job));
  add("progress", progress_cell(job));
  for (const std::string& line : validation_lines(job)) add("scores", line);
  if (whole_of(job, "max_attempts") > 0) {  // its job.toml has been read
    add("attempts", whole(whole_of(job, "attempt")) + " started, " + whole(whole_of(job, "num_failures")) +
                        " failed of at most " + whole(whole_of(job, "max_attempts")));
    add("resources", whole_of(job, "gpus") > 0 ? whole(whole_of(job, "gpus")) + " GPUs"
                                               : count(whole_of(job, "cores"), "all") + " CPU cores");
  }
  add("created", time("created_at"));
  add("started", time("started_at"));
  add("finished", time("finished_at"));
  add("next attempt", text_of(job, "next_attempt_at"));
  add("folder", text_of(job, "folder"));
  return text;
}

// The estimate as comments, so that the whole output is a TOML file: a column for each stage of the job.
std::string memory_lines(const Json& memory) {
  static constexpr std::array<const char*, 3> kStages = {"rollout", "update", "final check"};
  if (memory.empty()) return "";
  const auto bytes = [](double number) { return bytes_text(static_cast<uint64_t>(number)); };
  const auto cell = [](const std::string& text) {
    return std::string(text.size() < 13 ? 13 - text.size() : 1, ' ') + text;
  };
  std::string header, rows;
  for (const char* stage : kStages) header += cell(stage);
  for (const Json& term : memory.at("terms")) {
    if (number_of(term, "bytes") == 0) continue;
    std::string row = text_of(term, "name");
    row.resize(std::max<size_t>(row.size(), 24), ' ');
    for (const char* stage : kStages) {
      const bool there = std::ranges::count(term.at("stages"), Json(stage)) > 0;
      row += cell(there ? bytes(number_of(term, "bytes")) : "-");
    }
    rows += "#   " + row + "\n";
  }
  if (const double scorer_bytes = number_of(memory, "scorer_bytes"); scorer_bytes > 0)
    rows += "# beside that, " + whole(whole_of(memory, "scorer_hosts")) +
            " of [scorer] hosts: " + bytes(scorer_bytes) + "\n";
  const int64_t ranks = whole_of(memory, "ranks");
  return "\n# memory" + std::string(flag_of(memory, "on_gpu") ? " of the GPU" : "") +
         ", estimated: " + bytes(number_of(memory, "bytes")) + " at the peak, in the " +
         text_of(memory, "stage") + (ranks > 1 ? ", in each of " + whole(ranks) + " ranks" : "") + "\n#   " +
         std::string(24, ' ') + header + "\n" + rows;
}

}  // namespace

Run define_show(CLI::App& app) {
  const auto job = std::make_shared<std::string>();
  const auto plan = std::make_shared<bool>(false);
  app.add_option("JOB", *job, "Number or name")->required();
  app.add_flag(
      "--plan", *plan,
      "Print the job's configuration with every value resolved, as TOML, and the memory that it needs");
  return [job, plan](Session& session) {
    const Json result = session.client.ask("show", {{"job", *job}, {"plan", *plan}});
    session.out.value(*plan ? result : result.at("job"));
    session.out.text(*plan ? result.at("plan").get<std::string>() + memory_lines(part_of(result, "memory"))
                           : details_of(result.at("job"), session.out.style()));
    return kOk;
  };
}

}  // namespace rft::cli
