#include "cli/commands/commands.h"
#include "cli/job_text.h"

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

}  // namespace

Run define_plugins(CLI::App& app) {
  app.require_subcommand(1);
  add_part(app, "ls", "List scorers and adapters, and why one was refused", "rftctl plugins ls");
  return list_plugins;
}

}  // namespace rft::cli
