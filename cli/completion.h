// Shell completions, made from the command line's own description: a command or option added there is
// completed without further ado.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace rft::cli {

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace rft::cli
