// Reading one of a job's growing files through the daemon, page by page, and going on as it grows.
#pragma once

#include <functional>
#include <string>

#include "cli/command_table.h"

namespace rft::cli {

struct PagingOptions {
  std::string job;
  int last = 0;         // only the last so many lines; 0: all
  bool follow = false;  // until the job has finished
};

// JOB, --last and --follow.
void add_paging_options(CLI::App& app, PagingOptions& options);

// Asks for `verb` with `args` until the file's end, and with --follow on to the job's; `print` gets each
// page's result.
int print_pages(Session& session, const std::string& verb, Json args, const PagingOptions& options,
                const std::function<void(const Json&)>& print);

}  // namespace rft::cli
