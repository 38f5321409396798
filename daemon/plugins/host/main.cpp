// rft-plugin-host: runs one plugin in a process of its own. `serve` is what the daemon and its workers start;
// the other verbs are for plugin authors and for rftctl, print JSON, and need no daemon. Each of them runs
// the plugin in a `serve` of its own, exactly as a job would.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/program_folder.h"
#include "base/temporary_folder.h"
#include "plugins/adapter.h"
#include "plugins/composite_scorer.h"
#include "plugins/composition.h"
#include "plugins/grader.h"
#include "plugins/host/conformance.h"
#include "plugins/host/program_conformance.h"
#include "plugins/host/serve.h"
#include "plugins/host_process.h"
#include "plugins/isolation.h"
#include "plugins/launch.h"
#include "plugins/note.h"
#include "plugins/scorer_host.h"

namespace rft::plugins::host {
namespace fs = std::filesystem;
namespace {

constexpr int kFailed = 1;

struct Arguments {
  fs::path plugin;
  std::string options = "{}";
  double timeout_s = 10;
  fs::path input, output, data, folder, python, secrets_file;
  std::vector<std::string> secrets;
  bool network = false, trusted = false, confined = false, adapts = false;
  std::string check;
};

void print(const Json& json) { std::cout << dump_json(json) << "\n" << std::flush; }

HostOptions host_options(const Arguments& arguments) {
  HostOptions options;
  options.host_program = host_program_beside_executable();
  options.plugin_path = fs::canonical(arguments.plugin);
  options.kind = detect_implementation(options.plugin_path);
  options.options = parse_json(arguments.options, "--options");
  options.timeout_s = arguments.timeout_s;
  options.work_dir =
      arguments.folder.empty() ? options.plugin_path.parent_path() : fs::canonical(arguments.folder);
  options.allow_network = arguments.network;
  options.secrets = arguments.secrets;
  options.secrets_file = arguments.secrets_file;
  options.trusted = arguments.trusted;
  // Not resolved: that of a virtual environment is a link to the system's.
  if (!arguments.python.empty()) {
    options.python = fs::absolute(arguments.python).lexically_normal();
    require_python(options.python);
  }
  return options;
}

// What a plugin is, and whether it loads here.
int check(const Arguments& arguments) {
  const HostOptions options = host_options(arguments);
  Json row{{"file", options.plugin_path.string()}, {"implementation", options.kind}};
  const std::string kind = detect_kind(options.plugin_path, options.kind);
  if (options.kind == "shared_object") {
    const PluginNote note = read_note(options.plugin_path);
    row["abi"] = std::to_string(note.abi_major) + "." + std::to_string(note.abi_minor);
  }
  const HostProcess host(options, kind == "dataset-adapter" ? kind : "scorer");
  row["kind"] = kind;
  row["name"] = host.plugin().name;
  row["version"] = host.plugin().version;
  row["summary"] = host.plugin().has_summary;
  print(row);
  return 0;
}

ConformanceOptions conformance_options(const Arguments& arguments) {
  const fs::path data = arguments.data.empty() ? fs::path() : fs::canonical(arguments.data);
  return {fs::canonical(arguments.plugin), data, arguments.options, arguments.timeout_s, arguments.confined};
}

// A shared object against the rules of the ABI, any other plugin against those of its lines.
Json conformance_rows(const Arguments& arguments) {
  HostOptions options = host_options(arguments);
  if (options.kind == "shared_object") return check_conformance(conformance_options(arguments));
  std::string role = detect_kind(options.plugin_path, options.kind);
  if (role == "program") role = arguments.adapts ? "dataset-adapter" : "scorer";
  const fs::path data = arguments.data.empty() ? fs::path() : fs::canonical(arguments.data);
  if (!data.empty()) options.work_dir = data.parent_path();
  options.stderr_file = "/dev/null";  // what it says of itself stands in the rows
  return check_program(options, role, data);
}

int conformance(const Arguments& arguments) {
  const Json rows = conformance_rows(arguments);
  for (const Json& row : rows) print(row);
  return std::ranges::any_of(rows, [](const Json& row) { return row["verdict"] == "failed"; }) ? kFailed : 0;
}

ScoreRequest request_from(const Json& episode, size_t line) {
  const std::string where = "stdin:" + std::to_string(line);
  if (!episode.is_object() || !episode.contains("completion") || !episode["completion"].is_string())
    throw Error(ErrorCode::invalid_argument, where + ": an episode needs a \"completion\" that is a string");
  const Json prompt = episode.value("prompt", Json(""));
  ScoreRequest request;
  request.prompt = prompt.is_string() ? prompt.get<std::string>() : dump_json(prompt);
  request.completion = episode["completion"].get<std::string>();
  request.record_json = dump_json(episode.value("record", Json::object()));
  request.finish_reason = episode.value("finish_reason", std::string("eos"));
  request.prompt_tokens = episode.value("prompt_tokens", int64_t{0});
  request.completion_tokens = episode.value("completion_tokens", int64_t{0});
  request.generation_s = episode.value("generation_s", 0.0);
  return request;
}

Json to_json(const ScoreResult& result) {
  Json line;
  if (result.score)
    line["score"] = *result.score;
  else
    line["error"] = result.error;
  line["valid"] = result.valid;
  if (!result.reason.empty()) line["reason"] = result.reason;
  for (const auto& [name, value] : result.sub_scores) line["sub_scores"][name] = value;
  return line;
}

std::vector<ScoreRequest> read_episodes() {
  std::vector<ScoreRequest> requests;
  std::string text;
  for (size_t line = 1; std::getline(std::cin, text); ++line)
    if (!text.empty())
      requests.push_back(request_from(parse_json(text, "stdin:" + std::to_string(line)), line));
  return requests;
}

// One episode's result, also where the whole batch failed.
ScoreResult score_alone(Scorer& scorer, const ScoreRequest& request) {
  try {
    return scorer.score({&request, 1}).front();
  } catch (const PluginError& error) {
    return {.error = error.what(), .failure = error.kind()};
  }
}

struct TriedScorer {
  std::string name, version;
  std::optional<TemporaryFolder> sources;  // in Python, of a grader
  std::unique_ptr<Scorer> scorer;
};

// One of OpenAI's graders, whose scorers are shipped ones and sources of its own. Those that ask a model get
// --options, and are the only ones to get --network and --secret.
TriedScorer make_grader(const Arguments& arguments) {
  const TranslatedGrader grader =
      translate_grader(parse_json(read_file(arguments.plugin), arguments.plugin.string()),
                       {parse_json(arguments.options, "--options"), arguments.secrets});
  TemporaryFolder sources = TemporaryFolder::in_tmp();
  for (const auto& [file, source] : grader.sources) write_file_atomically(sources.path() / file, source);
  const auto options_of = [&](const Part& part) {
    const bool is_source = grader.sources.contains(part.plugin);
    Arguments own = arguments;
    own.plugin = is_source ? sources.path() / part.plugin : shipped_plugins_folder() / (part.plugin + ".so");
    own.options = dump_json(part.options);
    own.folder = fs::canonical(arguments.plugin).parent_path();
    own.network = arguments.network && part.network;
    own.secrets = part.secrets;
    return host_options(own);
  };
  if (grader.plugin != kComposite) {
    const bool asks = grader.num_judges > 0;
    const Part whole{"", grader.plugin, grader.options, asks,
                     asks ? arguments.secrets : std::vector<std::string>()};
    auto host = std::make_unique<ScorerHost>(options_of(whole));
    return {"grader", "", std::move(sources), std::move(host)};
  }
  Composition composition = parse_composition(grader.options);
  std::vector<std::pair<std::string, ScorerOptions>> parts;
  for (const Part& part : composition.parts) parts.emplace_back(part.name, options_of(part));
  return {"grader", "", std::move(sources),
          std::make_unique<CompositeScorer>(std::move(composition.formula), std::move(parts))};
}

TriedScorer make_scorer(const Arguments& arguments) {
  if (arguments.plugin.extension() == ".json") return make_grader(arguments);
  auto host = std::make_unique<ScorerHost>(host_options(arguments));
  std::string name = host->name(), version = host->version();
  return {std::move(name), std::move(version), std::nullopt, std::move(host)};
}

// How many calls in a row may run into their deadline before the others are left untried.
constexpr int kMaxTimeouts = 3;

// A scorer at work on the episodes: a line on stdout before each call says how far it is.
class Trial {
 public:
  Trial(Scorer& scorer, std::span<const ScoreRequest> requests) : scorer_(scorer), requests_(requests) {}

  // Each in a batch of its own, timed.
  void score_each() {
    for (size_t i = 0; i < requests_.size() && !gives_up(); ++i) {
      tell(i, "scored alone");
      const auto start = std::chrono::steady_clock::now();
      results_.push_back(score_alone(scorer_, requests_[i]));
      seconds_.push_back(seconds_since(start));
      note(results_.back().failure, results_.back().error);
    }
  }

  // All of them once more, in batches as a job makes them.
  void score_again() {
    for (size_t begin = 0; begin < requests_.size() && !gives_up(); begin += kEpisodesPerBatch) {
      tell(begin, "scored again in batches");
      const auto batch = requests_.subspan(begin, std::min(kEpisodesPerBatch, requests_.size() - begin));
      try {
        for (const ScoreResult& result : scorer_.score(batch))
          again_.push_back(result.score ? Json(*result.score) : Json());
        num_timeouts_ = 0;
      } catch (const PluginError& error) {
        again_.resize(begin + batch.size());
        note(error.kind(), error.what());
      }
    }
  }

  // A line per episode that was tried, with the result of the first call and the score of the second; then
  // the summary, or what was not tried.
  void print_results() const {
    for (size_t i = 0; i < results_.size(); ++i) {
      Json line = to_json(results_[i]);
      if (!results_[i].score) line["failure"] = to_string(results_[i].failure);
      line["seconds"] = seconds_[i];
      if (i < again_.size()) line["again"] = again_[i];
      print(line);
    }
    if (gives_up())
      return print({{"stopped",
                     {{"timeouts", num_timeouts_},
                      {"untried", requests_.size() - results_.size()},
                      {"untried_again", requests_.size() - again_.size()}}}});
    try {
      if (const auto numbers = scorer_.summarize(requests_, results_)) print({{"summary", *numbers}});
    } catch (const PluginError& error) {
      print({{"summary_error", error.what()}});
    }
  }

 private:
  bool gives_up() const { return num_timeouts_ >= kMaxTimeouts; }
  void tell(size_t done, const char* what) const {
    print({{"progress", {{"done", done}, {"total", requests_.size()}, {"what", what}}}});
  }
  void note(PluginFailure failure, const std::string& error) {
    num_timeouts_ = failure == PluginFailure::timed_out ? num_timeouts_ + 1 : 0;
    if (num_timeouts_ == 1)
      print({{"timed_out", error + "; after " + std::to_string(kMaxTimeouts) +
                               " such calls in a row the rest is not tried"}});
  }

  Scorer& scorer_;
  std::span<const ScoreRequest> requests_;
  std::vector<ScoreResult> results_;
  std::vector<double> seconds_;
  std::vector<Json> again_;
  int num_timeouts_ = 0;  // in a row
};

// What rftctl scorer test runs. The first line has the scorer's name.
int try_scorer(const Arguments& arguments) {
  const std::vector<ScoreRequest> requests = read_episodes();
  const TriedScorer tried = make_scorer(arguments);
  print({{"name", tried.name}, {"version", tried.version}});
  Trial trial(*tried.scorer, requests);
  trial.score_each();
  trial.score_again();
  trial.print_results();
  return 0;
}

// Episodes on stdin as one batch, a result a line on stdout, then the summary if the scorer has one.
int score(const Arguments& arguments) {
  const std::vector<ScoreRequest> requests = read_episodes();
  ScorerHost scorer(host_options(arguments));
  const auto results = scorer.score(requests);
  for (const auto& result : results) print(to_json(result));
  if (const auto numbers = scorer.summarize(requests, results)) print({{"summary", *numbers}});
  return 0;
}

int convert(const Arguments& arguments) {
  HostOptions options = host_options(arguments);
  const fs::path input = fs::canonical(arguments.input);
  options.work_dir = input.parent_path();
  const size_t num_records = convert_dataset(options, input, arguments.output);
  print({{"records", num_records}});
  return 0;
}

int report(const std::function<int()>& verb) {
  Json error;
  try {
    return verb();
  } catch (const PluginError& failure) {
    error = {{"code", "plugin"}, {"failure", to_string(failure.kind())}, {"message", failure.what()}};
  } catch (const Error& failure) {
    error = {{"code", to_string(failure.code())}, {"message", failure.what()}};
  } catch (const std::exception& failure) {
    error = {{"code", "io"}, {"message", failure.what()}};
  }
  print({{"error", error}});
  return kFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Runs one rftd plugin in a process of its own.");
  app.set_version_flag("--version", "rft-plugin-host " RFT_VERSION);
  app.require_subcommand(1);
  Arguments arguments;
  int result = 0;
  const auto add = [&](const char* name, const char* what, int (*verb)(const Arguments&)) {
    CLI::App* command = app.add_subcommand(name, what);
    command
        ->add_option("plugin", arguments.plugin, "A .so, a .py, an executable, or for try a grader's .json")
        ->required();
    command->add_option("--options", arguments.options, "The plugin's options, a JSON object");
    command->add_option("--timeout", arguments.timeout_s, "Deadline of one batch in seconds");
    command->add_option("--folder", arguments.folder,
                        "Its working folder (default: the one that it lies in)");
    command->add_option("--python", arguments.python,
                        "The interpreter of a script (default: python3 of PATH)");
    command->add_flag("--network", arguments.network, "With the network, as one that rftd.toml grants it");
    CLI::Option* file =
        command->add_option("--secrets-file", arguments.secrets_file, "As the daemon's secrets.json");
    command->add_option("--secret", arguments.secrets, "The name of one in that file; may be repeated")
        ->allow_extra_args(false)
        ->needs(file);
    command->add_flag("--trusted", arguments.trusted, "Without isolation, as one that rftd.toml trusts");
    command->callback([&, verb] { result = report([&] { return verb(arguments); }); });
    return command;
  };
  add("check", "Say what a plugin is, and load it", &check);
  add("score", "Score the episodes on stdin (JSONL: prompt, completion, record)", &score);
  add("try", "Score the episodes on stdin twice, each alone and in batches; what rftctl scorer test runs",
      &try_scorer);
  CLI::App* const conformance_command =
      add("conformance", "Check a plugin against each rule that there is for its kind", &conformance);
  conformance_command->add_option("--data", arguments.data, "Records to check it with, or a reader's file");
  conformance_command->add_flag("--adapter", arguments.adapts, "A program that is an adapter");
  CLI::App* conform = app.add_subcommand("conform", "One check, for the program that started this one");
  conform->add_option("plugin", arguments.plugin)->required();
  conform->add_option("--check", arguments.check)->required();
  conform->add_option("--options", arguments.options);
  conform->add_option("--data", arguments.data);
  conform->add_flag("--confined", arguments.confined);
  conform->callback([&] { run_check(arguments.check, conformance_options(arguments)); });
  CLI::App* convert_command = add("convert", "Run a dataset adapter over a data file", &convert);
  convert_command->add_option("input", arguments.input)->required();
  convert_command->add_option("output", arguments.output)->required();
  app.add_subcommand("isolation", "Say what keeps plugins apart on this machine")->callback([] {
    print(plugins::to_json(available_isolation()));
  });
  app.add_subcommand("serve", "Answer the program that started this one, on descriptor 3")->callback([] {
    // Without static destructors: a plugin's code must not run once its instance is gone.
    ::_exit(serve(wire::kHostSocket));
  });
  CLI11_PARSE(app, argc, argv);
  return result;
}

}  // namespace
}  // namespace rft::plugins::host

int main(int argc, char** argv) { return rft::plugins::host::run(argc, argv); }
