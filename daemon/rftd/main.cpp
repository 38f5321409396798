// rftd: the daemon. Everything it is told comes from its command line and HOME/rftd.toml.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#include "base/program_folder.h"
#include "rftd/daemon.h"

namespace {

std::filesystem::path default_home() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0')
    return std::filesystem::path(data) / "rftd";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/var/lib") / ".local/share/rftd";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Fine-tunes language models by reinforcement: drop a job folder into HOME/incoming.", "rftd");
  std::filesystem::path home = default_home();
  app.add_option("--home", home, "Everything is kept below this folder; it is made if it is missing")
      ->envname("RFTD_HOME")
      ->capture_default_str();
  int ready_fd = -1;
  app.add_option("--ready-fd", ready_fd, "Write a newline to this descriptor once the daemon answers")
      ->check(CLI::NonNegativeNumber);
  app.set_version_flag("--version", "rftd " RFT_VERSION);
  app.footer(
      "Runs in the foreground until SIGTERM or SIGINT. HOME/rftd.toml is optional; see " +
      (rft::documentation_folder() / "docs/operations.md").string() +
      "\n"
      "Example: rftd --home ~/rft\n"
      "Exit codes: 0 stopped as told; 1 the home, its configuration or its state cannot be used; 2 wrong "
      "usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    rft::daemon::run_daemon(std::filesystem::absolute(home), ready_fd);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "rftd: " << error.what() << "\n";
    return 1;
  }
}
