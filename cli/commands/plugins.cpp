#include <filesystem>
#include <memory>

#include "base/program_folder.h"
#include "cli/commands/commands.h"
#include "cli/commands/plugins_quarantine.h"
#include "cli/job_text.h"
#include "cli/plugin_folder.h"
#include "cli/program.h"

namespace rft::cli {
namespace {

int list_plugins(Session& session) {
  const Json result = session.client.ask("plugins");
  session.out.value(result.at("plugins"));
  const Style& style = session.out.style();
  Table table({"NAME", "KIND", "VERSION", "STATE", "FROM", "DIGEST", "FILE OR REASON"});
  for (const Json& row : result.at("plugins")) {
    const std::string state = text_of(row, "state"), reason = text_of(row, "reason");
    const Colour colour = state == "ready"                               ? Colour::green
                          : state == "refused" || state == "quarantined" ? Colour::red
                                                                         : Colour::yellow;
    table.add({text_of(row, "name"), text_of(row, "kind"), text_of(row, "version"),
               paint(style, colour, state), text_of(row, "origin"), text_of(row, "digest").substr(0, 12),
               text_of(row, "file") + (text_of(row, "file").empty() || reason.empty() ? "" : ": ") +
                   one_line(reason)});
  }
  if (!table.empty()) session.out.text(table.text(style));
  session.out.note("add your own by copying NAME.so or NAME.py into " + text_of(result, "folder"));
  session.out.note("the options of those that are shipped: " +
                   (documentation_folder() / "plugins/{scorers,adapters}/NAME/README.md").string());
  return kOk;
}

struct CheckedPlugin {
  std::string file, data, python, options = "{}", timeout_s = "10";
  bool adapts = false;
};

int check_plugin(Session& session, const CheckedPlugin& plugin) {
  if (!std::filesystem::is_regular_file(plugin.file))
    throw Error(ErrorCode::not_found, plugin.file + ": there is no such file");
  std::vector<std::string> arguments = {"conformance",  plugin.file, "--options",
                                        plugin.options, "--timeout", plugin.timeout_s};
  if (!plugin.data.empty()) arguments.insert(arguments.end(), {"--data", plugin.data});
  if (!plugin.python.empty()) arguments.insert(arguments.end(), {"--python", plugin.python});
  if (plugin.adapts) arguments.emplace_back("--adapter");
  const ProgramResult result = run_program(find_program("rft-plugin-host"), arguments);
  const Json rows = json_lines(result, "rft-plugin-host");
  if (rows.empty() || rows.front().contains("error"))
    throw Error(ErrorCode::invalid_argument,
                rows.empty() ? result.errors : text_of(part_of(rows.front(), "error"), "message"));
  session.out.value(rows);
  if (!result.errors.empty())
    session.out.note(result.errors.substr(0, result.errors.find_last_not_of('\n') + 1));
  Table table({"CHECK", "VERDICT", "DETAIL"});
  for (const Json& row : rows) {
    const std::string verdict = text_of(row, "verdict");
    const bool failed = verdict == "failed";
    table.add({text_of(row, "check"),
               paint(session.out.style(),
                     failed            ? Colour::red
                     : verdict == "ok" ? Colour::green
                                       : Colour::yellow,
                     verdict),
               one_line(text_of(row, "detail")) + (failed ? " (rule: " + text_of(row, "rule") + ")" : "")});
  }
  session.out.text(table.text(session.out.style()));
  return result.exit_code == 0 ? kOk : kFailed;
}

int make_plugin(Session& session, const NewPlugin& wanted) {
  const PluginFolder made = make_plugin_folder(wanted, session.client.home());
  session.out.value({{"folder", made.folder.string()}, {"commands", made.commands}});
  session.out.line("made " + wanted.name + "/; next:\n");
  session.out.line("    cd " + wanted.name);
  for (const std::string& command : made.commands) session.out.line("    " + command);
  return kOk;
}

}  // namespace

Run define_plugins(CLI::App& app) {
  app.require_subcommand(1);
  add_part(app, "ls", "List scorers and adapters, and why one was refused", "rftctl plugins ls");
  CLI::App* const new_part =
      add_part(app, "new", "Make a folder that builds, tests and installs with the commands that are printed",
               "rftctl plugins new polite --lang cpp");
  const auto wanted = std::make_shared<NewPlugin>();
  new_part->add_option("NAME", wanted->name, "What jobs will call it; the folder is made here")->required();
  new_part->add_option("--kind", wanted->kind, "What it is")
      ->capture_default_str()
      ->check(CLI::IsMember({"scorer", "adapter"}));
  new_part->add_option("--lang", wanted->language, "What it is written in; command: any executable")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpp", "python", "command"}));
  CLI::App* const check_part =
      add_part(app, "check", "Check a plugin against each rule that there is for its kind",
               "rftctl plugins check build/polite.so --data data.jsonl");
  const auto checked = std::make_shared<CheckedPlugin>();
  check_part->add_option("FILE", checked->file, "A .so, a .py or an executable")->required();
  check_part
      ->add_option("--data", checked->data,
                   "Records to check it with, or a reader's file; made-up records otherwise")
      ->type_name("FILE");
  check_part->add_option("--python", checked->python, "The interpreter of a script, as [plugins] python")
      ->type_name("PATH");
  check_part->add_flag("--adapter", checked->adapts, "An executable that is an adapter");
  check_part->add_option("--options", checked->options, "Its options, a JSON object")->capture_default_str();
  check_part->add_option("--timeout", checked->timeout_s, "Deadline of one check, in seconds")
      ->capture_default_str()
      ->check(above_zero());
  const auto plugin = std::make_shared<std::string>();
  CLI::App* const why_part =
      add_part(app, "why", "Say what a plugin in quarantine did, and how to see it again",
               "rftctl plugins why grader");
  CLI::App* const release_part = add_part(
      app, "release", "Let jobs name a plugin again that is in quarantine", "rftctl plugins release grader");
  for (CLI::App* part : {why_part, release_part})
    part->add_option("PLUGIN", *plugin, "Its name, or the beginning of its digest")->required();
  return [=](Session& session) {
    if (check_part->parsed()) return check_plugin(session, *checked);
    if (why_part->parsed()) return explain_quarantine(session, *plugin);
    if (release_part->parsed()) return release_from_quarantine(session, *plugin);
    return new_part->parsed() ? make_plugin(session, *wanted) : list_plugins(session);
  };
}

}  // namespace rft::cli
