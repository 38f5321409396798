#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/program_folder.h"
#include "cli/commands/commands.h"
#include "cli/commands/scorer_swap.h"
#include "cli/job_text.h"
#include "cli/program.h"
#include "cli/scorer_episodes.h"
#include "cli/scorer_report.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

struct ScorerTest {
  std::string scorer, grader;
  std::string options = "{}";
  std::string range = "0:1";
  std::string timeout_s = "10";
  std::string python;
  bool network = false;
  std::vector<std::string> secrets;
  std::string secrets_file;
  EpisodeSource source;
};

ScoreRange range_of(const std::string& text) {
  ScoreRange range;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lf:%lf%c", &range.low, &range.high, &rest) != 2 || range.low > range.high)
    throw Error(ErrorCode::invalid_argument, "--range " + text + ": must be LOW:HIGH, such as 0:1",
                "--range");
  return range;
}

// A path, a name under HOME/plugins, or that of a scorer that came with the programs.
fs::path scorer_file(const Session& session, const std::string& scorer) {
  if (fs::is_regular_file(scorer)) return fs::absolute(scorer);
  const fs::path dropped = session.client.home() / "plugins";
  for (const char* extension : {".so", ".py", ""})
    if (const fs::path file = dropped / (scorer + extension); fs::is_regular_file(file)) return file;
  if (const fs::path file = shipped_plugins_folder() / (scorer + ".so"); fs::is_regular_file(file))
    return file;
  throw Error(ErrorCode::not_found,
              scorer + ": there is no such file, and no such plugin in " + dropped.string());
}

fs::path grader_file(const std::string& grader) {
  if (!fs::is_regular_file(grader))
    throw Error(ErrorCode::not_found, grader + ": there is no such file", "--grader");
  if (fs::path(grader).extension() != ".json")
    throw Error(ErrorCode::invalid_argument, grader + ": a grader is a .json file", "--grader");
  return fs::absolute(grader);
}

std::vector<std::string> host_arguments(const Session& session, const ScorerTest& test) {
  const fs::path scorer = test.grader.empty() ? scorer_file(session, test.scorer) : grader_file(test.grader);
  std::vector<std::string> arguments = {"try",        scorer.string(), "--options",
                                        test.options, "--timeout",     test.timeout_s};
  if (!test.python.empty()) arguments.insert(arguments.end(), {"--python", test.python});
  if (test.network) arguments.emplace_back("--network");
  for (const std::string& secret : test.secrets) arguments.insert(arguments.end(), {"--secret", secret});
  const std::string file =
      test.secrets_file.empty() ? (session.client.home() / "secrets.json").string() : test.secrets_file;
  if (!test.secrets.empty()) arguments.insert(arguments.end(), {"--secrets-file", file});
  return arguments;
}

// What rft-plugin-host says, line by line: how far it is is shown, the rest is the answer.
std::vector<Json> try_scorer(const Session& session, const ScorerTest& test, const std::string& episodes) {
  std::vector<Json> answers;
  session.out.progress("the scorer is being loaded");
  const auto take = [&](const std::string& line) {
    const Json answer = parse_json(line, "the answer of rft-plugin-host");
    if (const Json progress = part_of(answer, "progress"); !progress.empty())
      return session.out.progress(whole(whole_of(progress, "done")) + " of " +
                                  whole(whole_of(progress, "total")) + " " + text_of(progress, "what"));
    if (!answer.contains("timed_out")) return answers.push_back(answer);
    session.out.progress("");
    session.out.note(text_of(answer, "timed_out"));
  };
  const ProgramResult result =
      run_program(find_program("rft-plugin-host"), host_arguments(session, test), episodes, take);
  session.out.progress("");
  if (!answers.empty() && result.exit_code == 0) return answers;
  throw Error(ErrorCode::unavailable,
              answers.empty() ? result.errors : text_of(part_of(answers.back(), "error"), "message"));
}

// That a scorer which does not answer was given up.
Json error_of_stop(const Json& stopped, const std::string& timeout_s) {
  const int64_t untried = whole_of(stopped, "untried"), again = whole_of(stopped, "untried_again");
  return {{"episode", Json()},
          {"failure", "timed_out"},
          {"message", whole(whole_of(stopped, "timeouts")) + " calls in a row had no answer within " +
                          timeout_s + " s (--timeout): " +
                          (untried > 0 ? whole(untried) + " episodes were not tried"
                                       : whole(again) + " episodes were not tried again in batches")}};
}

int test_scorer(Session& session, ScorerTest test) {
  const ScoreRange range = range_of(test.range);
  if (const fs::path named = session.client.home() / "models" / test.source.model;
      !test.source.model.empty() && !fs::is_directory(test.source.model) && fs::is_directory(named))
    test.source.model = named;
  const Episodes episodes = make_episodes(test.source);
  std::string input;
  for (const Json& line : episodes.lines) input += dump_json(line) + "\n";
  std::vector<Json> answers = try_scorer(session, test, input);

  const std::string version = text_of(answers.front(), "version");
  const std::string title = text_of(answers.front(), "name") + (version.empty() ? "" : " " + version);
  answers.erase(answers.begin());
  Json last;  // the summary, or why there is none
  if (!answers.empty() && !answers.back().contains("seconds")) {
    last = answers.back();
    answers.pop_back();
  }
  Json report = scorer_report(episodes.lines, answers, range);
  report["completions"] = episodes.origin;
  report["summary"] = part_of(last, "summary");
  if (last.contains("summary_error"))
    report["errors"].push_back(
        {{"episode", Json()}, {"failure", "summary"}, {"message", last["summary_error"]}});
  report["untried"] = whole_of(part_of(last, "stopped"), "untried");
  if (last.contains("stopped"))  // before those of the episodes, of which only the first are shown
    report["errors"].insert(report["errors"].begin(), error_of_stop(last["stopped"], test.timeout_s));
  session.out.value(report);
  session.out.line(title + ", " + episodes.origin);
  session.out.text(report_text(session.out.style(), report));
  for (const auto& [name, value] : report["summary"].items())
    session.out.line("summary " + one_line(name) + ": " + number(value.get<double>(), 4));
  return report["errors"].empty() ? kOk : kFailed;
}

Run define_scorer_test(CLI::App& app) {
  CLI::App* const part = add_part(
      app, "test", "Score given, sampled or the data's own outputs, and say what the scores are like",
      "rftctl scorer test ./scorer.py --data train.jsonl --outputs outputs.jsonl");
  const auto test = std::make_shared<ScorerTest>();
  CLI::Option* const scorer = part->add_option(
      "SCORER", test->scorer, "A .so, a .py, an executable, or the name of a registered one");
  CLI::Option* const grader =
      part->add_option("--grader", test->grader, "A grader of OpenAI's fine-tuning API, a JSON file, instead")
          ->type_name("FILE")
          ->excludes(scorer);
  part->callback([scorer, grader] {
    if (scorer->empty() && grader->empty()) throw CLI::RequiredError("SCORER or --grader");
  });
  part->add_option("--data", test->source.data, "The records, as a job has them")
      ->required()
      ->type_name("FILE");
  CLI::Option* const outputs =
      part->add_option("--outputs", test->source.outputs,
                       "Completions, {\"completion\", \"index\" of a record or \"record\"} a line")
          ->type_name("FILE");
  part->add_option("--model", test->source.model,
                   "Samples the completions: a folder, or a name of HOME/models")
      ->type_name("M")
      ->excludes(outputs);
  part->add_option("--options", test->options, "The scorer's options, a JSON object")->capture_default_str();
  part->add_option("--range", test->range, "Scores outside of it are warned of")
      ->capture_default_str()
      ->type_name("LOW:HIGH");
  part->add_option("--timeout", test->timeout_s, "Deadline of one call, in seconds")
      ->capture_default_str()
      ->check(above_zero());
  part->add_option("--python", test->python,
                   "The interpreter of a scorer in Python, as [plugins] python (default: python3 of PATH)")
      ->type_name("PATH");
  part->add_flag("--network", test->network,
                 "With the network, as [scorer] network has it where it is granted");
  part->add_option("--secret", test->secrets, "With this secret; may be repeated")->allow_extra_args(false);
  part->add_option("--secrets-file", test->secrets_file, "Where it stands; default: HOME/secrets.json")
      ->type_name("FILE");
  part->add_option("--adapter", test->source.adapter,
                   "As [data] adapter: chat, jsonl, another shipped one, or a file");
  part->add_option("--prompt", test->source.prompt, "As [data] prompt");
  part->add_option("--limit", test->source.limit, "Records at most; 0: all")->check(zero_or_more());
  part->add_option("--max-new-tokens", test->source.max_new_tokens, "Of a sampled completion")
      ->capture_default_str()
      ->check(above_zero());
  part->add_option("--temperature", test->source.temperature, "Of the sampling")
      ->capture_default_str()
      ->check(zero_or_more());
  part->add_option("--seed", test->source.seed, "Of the sampling")->check(zero_or_more());
  return [test](Session& session) { return test_scorer(session, *test); };
}

}  // namespace

Run define_scorer(CLI::App& app) {
  app.require_subcommand(1);
  const Run test = define_scorer_test(app), swap = define_scorer_swap(app);
  const CLI::App* const swap_part = app.get_subcommand("swap");
  return [=](Session& session) { return swap_part->parsed() ? swap(session) : test(session); };
}

}  // namespace rft::cli
