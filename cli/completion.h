// Shell completions. The scripts of all shells ask rftctl itself what can stand where the cursor is, by a
// verb that no help lists, `__complete`; the answer comes from the command line's own description and, where
// jobs and scorers are wanted, from the daemon. A command or option added is completed without further ado.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace rft::cli {

// Of bash, zsh or fish.
std::string completion_script(const std::string& shell);

// What can stand in place of the last of `words`, of which the first follows the program's name: lines of a
// word, a tab and what it means. A last line ":files" or ":folders" says that paths can stand there too. Does
// not throw, and without a daemon knows no jobs.
std::string complete(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace rft::cli
