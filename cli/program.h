// The offline verbs: rft-worker or rft-plugin-host, found beside rftctl, does the work.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::cli {

// `name` in rftctl's own folder. Throws Error(not_found) that says where it was looked for.
std::filesystem::path find_program(const std::string& name);

struct ProgramResult {
  int exit_code = 0;
  std::string output;  // what it wrote to standard output, at most 16 MB
  std::string errors;  // and to standard error
};

// Runs it to its end with `input` on its standard input. `on_line` gets each whole line of its standard
// output as it comes, which is then not in `output`. Throws Error(io) when it cannot be started,
// Error(internal) when a signal ended it.
ProgramResult run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                          const std::string& input = "",
                          const std::function<void(const std::string& line)>& on_line = {});

// What `program` wrote to standard output, a JSON value a line.
std::vector<Json> json_lines(const ProgramResult& result, const std::string& program);

}  // namespace rft::cli
