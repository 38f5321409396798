#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/job_text.h"
#include "cli/program.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

// What `models new` hands on to rft-worker, which knows the defaults.
const std::vector<std::pair<std::string, std::string>> kSizes = {
    {"--seed", "Of the random weights"},
    {"--vocabulary", "Tokens at most"},
    {"--layers", "Decoder layers"},
    {"--hidden", "Width"},
    {"--heads", "Attention heads"},
    {"--kv-heads", "Key and value heads"},
    {"--max-positions", "Longest sequence, in tokens"},
};

// A folder as given, or a name under HOME/models.
fs::path model_folder(const Session& session, const std::string& model) {
  if (model.find('/') != std::string::npos || fs::is_directory(model))
    return fs::absolute(model).lexically_normal();
  return session.client.home() / "models" / model;
}

// What rft-worker says is wrong, without its own name before it.
[[noreturn]] void fail_with(const ProgramResult& result) {
  std::string message = result.errors;
  message.erase(message.find_last_not_of(" \n") + 1);
  for (const std::string prefix : {"rft-worker: "})
    if (message.starts_with(prefix)) message.erase(0, prefix.size());
  throw Error(result.exit_code == 2 ? ErrorCode::invalid_argument : ErrorCode::unsupported,
              message.empty() ? "rft-worker ended with code " + std::to_string(result.exit_code) : message);
}

std::string problem_of(const Json& model) {
  if (std::string error = text_of(model, "error"); !error.empty()) return error;
  std::string problems;
  for (const Json& key : model.value("unsupported", Json::array()))
    problems += (problems.empty() ? "not supported: " : ", ") + key.get<std::string>();
  return problems;
}

std::string parameters_text(double count) {
  if (!(count > 0)) return "-";
  if (count < 1e6) return number(count / 1e3, 0) + "k";
  return count < 1e9 ? number(count / 1e6, 1) + "M" : number(count / 1e9, 2) + "B";
}

int list_models(Session& session) {
  const Json result = session.client.ask("models");
  session.out.value(result.at("models"));
  Table table({"NAME", "FAMILY", "PARAMETERS", "DTYPE", "CHAT", "STATE"}, {2});
  for (const Json& model : result.at("models")) {
    const std::string problem = problem_of(model);
    const bool chat = flag_of(model, "has_chat_template");
    const std::string family = text_of(model, "family");
    table.add({text_of(model, "name"), family.empty() ? text_of(model, "architecture") : family,
               parameters_text(number_of(model, "num_parameters")), text_of(model, "stored_dtype"),
               chat ? "yes" : "no",
               problem.empty() ? paint(session.out.style(), Colour::green, "ready") : one_line(problem)});
  }
  if (!table.empty()) session.out.text(table.text(session.out.style()));
  if (table.empty())
    session.out.note(
        "no models in " + text_of(result, "folder") +
        ": put a Hugging Face model directory there, or make a small one with: rftctl models new "
        "--recipe tiny --from FILE.jsonl NAME");
  return kOk;
}

int check_model(Session& session, const std::string& model) {
  const fs::path folder = model_folder(session, model);
  if (!fs::is_directory(folder))
    throw Error(ErrorCode::not_found, folder.string() + ": there is no such folder");
  const ProgramResult result =
      run_program(find_program("rft-worker"), {"inspect", "summary", folder.string()});
  if (result.exit_code != 0) fail_with(result);
  const Json summary = parse_json(result.output, "the answer of rft-worker");
  session.out.value(summary);
  const std::string problem = problem_of(summary);
  if (text_of(summary, "error").empty())
    for (const auto& [name, value] : summary.items())
      if (name != "unsupported")
        session.out.line(name + ": " + (value.is_string() ? value.get<std::string>() : dump_json(value)));
  session.out.line(problem.empty() ? "this model can be trained" : problem);
  return problem.empty() ? kOk : kFailed;
}

int make_model(Session& session, const std::string& recipe, const std::string& from, const std::string& model,
               const std::map<std::string, std::string>& sizes) {
  const fs::path folder = model_folder(session, model);
  if (!fs::is_regular_file(from))
    throw Error(ErrorCode::not_found, from + ": there is no such file", "--from");
  if (fs::exists(folder))
    throw Error(ErrorCode::conflict, folder.string() + " is there already; choose another name");
  fs::create_directories(folder.parent_path());
  std::vector<std::string> arguments = {"new-model", "--recipe", recipe,         "--from",
                                        from,        "--out",    folder.string()};
  for (const auto& [option, number] : sizes)
    if (!number.empty()) arguments.insert(arguments.end(), {option, number});
  const ProgramResult result = run_program(find_program("rft-worker"), arguments);
  if (result.exit_code != 0) fail_with(result);
  session.out.text(result.output);
  session.out.value({{"folder", folder.string()}});
  session.out.line(folder.string() + ": a new model with random weights; see: rftctl models check " + model);
  return kOk;
}

}  // namespace

Run define_models(CLI::App& app) {
  const auto model = std::make_shared<std::string>();
  const auto recipe = std::make_shared<std::string>("tiny");
  const auto from = std::make_shared<std::string>();
  app.require_subcommand(1);
  add_part(app, "ls", "List the models of the home", "rftctl models ls");
  CLI::App* const check_part = add_part(app, "check", "Say what a model is and whether it can be trained",
                                        "rftctl models check ./SmolLM2-135M");
  check_part->add_option("MODEL", *model, "A name under HOME/models, or a folder")->required();
  CLI::App* const new_part =
      add_part(app, "new", "Make a small model with random weights and a tokenizer trained on a file",
               "rftctl models new --recipe tiny --from train.jsonl tiny-triage --layers 3");
  new_part->add_option("MODEL", *model, "A name under HOME/models, or a folder to make")->required();
  new_part->add_option("--recipe", *recipe, "How it is built")
      ->capture_default_str()
      ->check(CLI::IsMember({"tiny"}));
  new_part->add_option("--from", *from, "JSONL whose strings train the tokenizer")
      ->required()
      ->type_name("FILE");
  const auto sizes = std::make_shared<std::map<std::string, std::string>>();  // option -> number
  for (const auto& [option, meaning] : kSizes)
    new_part->add_option(option, (*sizes)[option], meaning)->check(zero_or_more())->type_name("N");
  return [=](Session& session) {
    if (check_part->parsed()) return check_model(session, *model);
    if (new_part->parsed()) return make_model(session, *recipe, *from, *model, *sizes);
    return list_models(session);
  };
}

}  // namespace rft::cli
