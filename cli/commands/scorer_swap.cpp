#include "cli/commands/scorer_swap.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/job_folder_builder.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kNoEnd = std::chrono::hours(24 * 365);

struct SwapOptions {
  std::string job, scorer, options, options_file;
  std::vector<std::string> settings;
  double timeout_s = 0;
};

Json arguments_of(const SwapOptions& swap) {
  Json args = {{"job", swap.job}};
  if (fs::is_regular_file(swap.scorer))
    args["file"] = fs::absolute(swap.scorer).lexically_normal().string();
  else
    args["scorer"] = swap.scorer;
  if (!swap.options_file.empty())
    args["options"] = parse_json(read_file(swap.options_file), swap.options_file);
  else if (!swap.options.empty())
    args["options"] = parse_json(swap.options, "--options");
  if (!swap.settings.empty()) args["settings"] = settings_toml(swap.settings);
  return args;
}

// The worker takes it between two iterations, which may be minutes away.
int swap_scorer(const SwapOptions& swap, Session& session) {
  const Json args = arguments_of(swap);
  const Json before = find_job(session.client, swap.job);
  const std::string id = whole(whole_of(before, "id"));
  if (text_of(before, "state") == "running")
    session.out.note("job " + id +
                     " changes its scorer between two iterations; the request stands if you do not wait");
  const auto timeout = swap.timeout_s > 0
                           ? std::chrono::milliseconds(static_cast<int64_t>(swap.timeout_s * 1000))
                           : std::chrono::milliseconds(kNoEnd);
  const auto deadline = Clock::now() + timeout;
  Json job;
  try {
    job = session.client.ask("scorer.swap", args, timeout).at("job");
  } catch (const Unreachable&) {
    if (Clock::now() < deadline) throw;
    session.out.note("rftctl: job " + id + " has not come to it within " + duration_text(swap.timeout_s) +
                     "; see: rftctl show " + id);
    return kTimedOut;
  }
  session.out.value(job);
  session.out.line(headline(session.out.style(), job));
  session.out.line("  scorer: " + scorer_cell(job));
  if (text_of(part_of(job, "scorer_swap"), "state") == "pending")
    session.out.line(
        "  it has passed what a job's scorer must at the admission; it is tried on the job's own completions "
        "when the job goes on, which pauses it where they are refused");
  for (const std::string& line : validation_lines(job)) session.out.line("  " + line);
  return kOk;
}

}  // namespace

Run define_scorer_swap(CLI::App& scorer) {
  CLI::App* const part = add_part(
      scorer, "swap",
      "Give a job another scorer between two of its iterations, once it has passed a check on the job's own "
      "completions; their past figures are made anew",
      "rftctl scorer swap 17 ./stricter.py");
  const auto swap = std::make_shared<SwapOptions>();
  part->add_option("JOB", swap->job, "Number or name")->required();
  part->add_option(
          "SCORER", swap->scorer,
          "A .so, a .py, an executable, the name of a registered scorer, or a file of the job's folder")
      ->required();
  CLI::Option* const text = part->add_option(
      "--options", swap->options,
      "The scorer's options, a JSON object (default: the present ones under the same name, else none)");
  part->add_option("--file", swap->options_file, "A JSON file with these options")
      ->type_name("FILE")
      ->check(CLI::ExistingFile)
      ->excludes(text);
  part->add_option("--set", swap->settings,
                   "What else of [scorer] it needs: scorer.timeout_s=60, scorer.on_error='\"skip\"', "
                   "scorer.network=true, scorer.python, scorer.secrets (default: as they are)")
      ->type_name("SECTION.KEY=VALUE")
      ->take_all()
      ->expected(1);
  part->add_option("--timeout", swap->timeout_s,
                   "Wait at most so many seconds (default: as long as it takes)")
      ->check(above_zero())
      ->type_name("SECONDS");
  return [swap](Session& session) { return swap_scorer(*swap, session); };
}

}  // namespace rft::cli
