// rftctl: the command line of rftd. It talks to the daemon over its sockets (docs/protocol.md) and keeps no
// state of its own.
#include <iostream>
#include <map>
#include <span>
#include <vector>

#include "base/nearest.h"
#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/home.h"

namespace {

using namespace rft;
using namespace rft::cli;

// Errors of the command line end with where to read on.
std::string see_help(std::string message, const std::string& where) {
  if (!message.ends_with('.') && !message.ends_with('?')) message += '.';
  return message + " See: " + where + " --help";
}

// `help VERB` is another way to say `VERB --help`.
std::vector<std::string> without_help_verb(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  arguments.push_back("--help");
  return arguments;
}

// The first argument that is no option should be the name of one of the app's commands, and the next one that
// of a part of it, where it has parts.
void refuse_unknown_command(const CLI::App& app, std::span<const std::string> arguments,
                            const std::string& where) {
  std::vector<std::string> names;
  for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(part->get_name());
  for (size_t i = 0; i < arguments.size() && !names.empty(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--home") ++i;  // its value is no command
    if (name.starts_with("-")) continue;
    if (std::ranges::find(names, name) != names.end())
      return refuse_unknown_command(*app.get_subcommand(name), arguments.subspan(i + 1), where + " " + name);
    std::string advice = did_you_mean(name, names);
    if (advice.empty() && app.get_parent() != nullptr)
      advice = "; there is: " + CLI::detail::join(names, ", ");
    throw Error(ErrorCode::invalid_argument, see_help("unknown command \"" + name + "\"" + advice, where));
  }
}

// Mistyped options get the nearest one named, as commands do.
std::string with_suggestion(const CLI::App& chosen, const CLI::ParseError& error, const std::string& where) {
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> known;
    for (const CLI::Option* option : chosen.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    for (const std::string& extra : chosen.remaining(true))
      if (extra.starts_with("--")) message += did_you_mean(extra.substr(0, extra.find('=')), known);
  }
  return see_help(message, where);
}

// The command that was named, as deep as it goes: `rftctl models new`.
std::pair<const CLI::App*, std::string> deepest(const CLI::App& app) {
  const CLI::App* chosen = &app;
  std::string where = app.get_name();
  while (!chosen->get_subcommands().empty()) {
    chosen = chosen->get_subcommands().front();
    where += " " + chosen->get_name();
  }
  return {chosen, where};
}

// The whole command line and what its commands run.
class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", "rftctl " RFT_VERSION);
    app_.require_subcommand(1);
    app_.footer(std::string("Each command has its own --help (or: rftctl help COMMAND), with an example.\n") +
                kExitCodesHelp);
    add_common_options(app_, common_);
    for (const Command& command : command_table()) {
      CLI::App* const sub = app_.add_subcommand(std::string(command.name), std::string(command.summary));
      sub->footer(example_footer(command.example));
      runs_[sub] = command.define(*sub);
      if (sub->get_subcommands({}).empty()) add_common_options(*sub, common_);
      for (CLI::App* part : sub->get_subcommands({})) add_common_options(*part, common_);
    }
  }

  int main(int argc, char** argv) {
    const std::vector<std::string> arguments = without_help_verb({argv + 1, argv + argc});
    if (!arguments.empty() && arguments.front() == "__complete") {
      std::cout << complete(app_, {arguments.begin() + 1, arguments.end()});
      return kOk;
    }
    // Known before the line is parsed: an error in it is told in the same way.
    const bool json = std::ranges::find(arguments, "--json") != arguments.end();
    const Output out(json, Style::of_stdout());
    try {
      refuse_unknown_command(app_, arguments, app_.get_name());
      std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
      app_.parse(reversed);
    } catch (const CLI::Success& help) {
      return app_.exit(help);
    } catch (const CLI::ParseError& error) {
      const auto [chosen, where] = deepest(app_);
      out.error(Error(ErrorCode::invalid_argument, with_suggestion(*chosen, error, where)));
      return kUsage;
    } catch (const Error& error) {
      out.error(error);
      return kUsage;
    }
    return run(out);
  }

 private:
  int run(const Output& out) {
    try {
      Client client(find_home(common_.home));
      Session session{client, out};
      return runs_.at(app_.get_subcommands().front())(session);
    } catch (const Error& error) {
      out.error(error);
      return exit_code_of(error);
    } catch (const std::exception& error) {
      out.error(Error(ErrorCode::internal, error.what()));
      return kFailed;
    }
  }

  CLI::App app_{"Talk to rftd, the daemon that fine-tunes language models by reinforcement.", "rftctl"};
  CommonOptions common_;
  std::map<const CLI::App*, Run> runs_;
};

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return CommandLine().main(argc, argv);
}
