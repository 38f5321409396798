// Every command of rftctl, in one sorted table; each is defined in commands/ under its own name. `--help`,
// the shell completions and the suggestions for a mistyped command are all made from it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/output.h"

namespace rft::cli {

// What a command works with.
struct Session {
  Client& client;
  const Output& out;
};

// A command, once parsed: answers the exit code. It may throw.
using Run = std::function<int(Session&)>;

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view example;
  // Adds the command's own options and answers what it runs.
  Run (*define)(CLI::App& app);
};

std::span<const Command> command_table();

// What every command takes.
struct CommonOptions {
  std::string home;
  bool json = false;
};
void add_common_options(CLI::App& app, CommonOptions& options);

// A number above zero, or not below it; CLI11's own checks answer with all the digits of the largest double.
CLI::Validator above_zero();
CLI::Validator zero_or_more();

// The line of the help that shows a command in use.
std::string example_footer(std::string_view example);

// A subcommand of a command (as in `models new`), with its example; `run` is what it does.
CLI::App* add_part(CLI::App& command, const std::string& name, const std::string& summary,
                   const std::string& example);

}  // namespace rft::cli
