#include <memory>

#include "cli/commands/commands.h"
#include "cli/job_text.h"
#include "cli/plugin_folder.h"

namespace rft::cli {
namespace {

int list_plugins(Session& session) {
  const Json result = session.client.ask("plugins");
  session.out.value(result.at("plugins"));
  const Style& style = session.out.style();
  Table table({"NAME", "KIND", "VERSION", "STATE", "FROM", "DIGEST", "FILE OR REASON"});
  for (const Json& row : result.at("plugins")) {
    const std::string state = text_of(row, "state"), reason = text_of(row, "reason");
    const Colour colour = state == "ready"     ? Colour::green
                          : state == "refused" ? Colour::red
                                               : Colour::yellow;
    table.add({text_of(row, "name"), text_of(row, "kind"), text_of(row, "version"),
               paint(style, colour, state), text_of(row, "origin"), text_of(row, "digest").substr(0, 12),
               text_of(row, "file") + (reason.empty() ? "" : ": " + one_line(reason))});
  }
  if (!table.empty()) session.out.text(table.text(style));
  session.out.note("add your own by copying NAME.so or NAME.py into " + text_of(result, "folder"));
  return kOk;
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
  new_part->add_option("--lang", wanted->language, "What it is written in; an adapter in cpp alone")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpp", "python", "command"}));
  return [=](Session& session) {
    return new_part->parsed() ? make_plugin(session, *wanted) : list_plugins(session);
  };
}

}  // namespace rft::cli
