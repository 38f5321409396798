#include "cli/command_table.h"

#include <array>

#include "cli/commands/commands.h"

namespace rft::cli {
namespace {

// Sorted by name.
constexpr auto kTable = std::to_array<Command>({
    {"cancel", "End a job for good; its files stay", "rftctl cancel 17", define_cancel},
    {"completion", "Print the completions for a shell", "source <(rftctl completion bash)",
     define_completion},
    {"doctor", "Check the set-up and say what to do", "rftctl doctor", define_doctor},
    {"export", "Copy a job's model to a folder", "rftctl export 17 ./fraud-triage", define_export},
    {"fine-tunes", "Make a job from files and submit it",
     "rftctl fine-tunes create -t train.jsonl -v valid.jsonl --model tiny --reward-model scorer.py --follow",
     define_fine_tunes},
    {"logs", "Print a job's log", "rftctl logs 17 --follow", define_logs},
    {"ls", "List the jobs", "rftctl ls --state running --state queued", define_ls},
    {"metrics", "Print a job's metrics", "rftctl metrics 17 --chart rollout/score_mean", define_metrics},
    {"models", "List, check and make base models", "rftctl models ls", define_models},
    {"pause", "Stop a job for now, its state kept", "rftctl pause 17", define_pause},
    {"plugins", "List, begin and check scorers and adapters", "rftctl plugins ls", define_plugins},
    {"resume", "Continue a paused job", "rftctl resume 17", define_resume},
    {"retry", "Try a failed or cancelled job again", "rftctl retry 17", define_retry},
    {"rollouts", "Print a job's completions and scores", "rftctl rollouts 17 --last 5", define_rollouts},
    {"scorer", "Try a scorer, or give a job another", "rftctl scorer test ./scorer.py --data train.jsonl",
     define_scorer},
    {"show", "Show one job", "rftctl show 17 --plan", define_show},
    {"submit", "Give a job folder to the daemon", "rftctl submit ./fraud-triage --follow", define_submit},
    {"wait", "Wait until jobs have finished", "rftctl wait 17 --timeout 3600", define_wait},
    {"watch", "Watch a job as it runs; q leaves it", "rftctl watch 17", define_watch},
    {"why", "Say why a job is where it is", "rftctl why 17", define_why},
});

}  // namespace

std::span<const Command> command_table() { return kTable; }

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--home", options.home, "The daemon's home (default: $RFTD_HOME, then ~/.local/share/rftd)")
      ->type_name("DIR");
  app.add_flag("--json", options.json, "Print JSON, and nothing else, on standard output");
}

namespace {

CLI::Validator checked_number(bool (*holds)(double), const std::string& wanted) {
  const auto check = [=](const std::string& text) {
    double number = 0;
    const bool is_number = CLI::detail::lexical_cast(text, number);
    return is_number && holds(number) ? std::string() : "give " + wanted + ", not " + text;
  };
  return CLI::Validator(check, "");
}

}  // namespace

CLI::Validator above_zero() {
  return checked_number([](double number) { return number > 0; }, "a number above 0");
}

CLI::Validator zero_or_more() {
  return checked_number([](double number) { return number >= 0; }, "a number of at least 0");
}

std::string example_footer(std::string_view example) {
  return "Example: " + std::string(example) + "\n" + kExitCodesHelp;
}

CLI::App* add_part(CLI::App& command, const std::string& name, const std::string& summary,
                   const std::string& example) {
  CLI::App* const part = command.add_subcommand(name, summary);
  part->footer(example_footer(example));
  return part;
}

}  // namespace rft::cli
