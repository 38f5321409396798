// What the tests of plugins share.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "plugins/scorer_host.h"
#include "support/processes.h"
#include "support/temp_dir.h"

namespace rft::plugins::testing {

namespace fs = std::filesystem;

class TemporaryFolder : public TempDir {
 public:
  fs::path write(const std::string& name, const std::string& text, bool executable = false) const {
    const fs::path file = path() / name;
    std::ofstream(file, std::ios::binary) << text;
    if (executable) fs::permissions(file, fs::perms::owner_all);
    return file;
  }
};

// Under the address sanitizer a host must die of its plugin's signals as it does without: plugins get these
// options with the environment.
inline const bool kSignalsAreLeftAlone =
    ::setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:allocator_may_return_null=0:detect_leaks=0", 1) ==
    0;

inline fs::path hostile_plugin(const std::string& name) { return fs::path(RFT_HOSTILE_DIR) / (name + ".so"); }

inline ScorerOptions options_for(const fs::path& plugin, const TemporaryFolder& folder) {
  ScorerOptions options;
  options.host_program = fs::path(RFT_BIN_DIR) / "rft-plugin-host";
  options.plugin_path = plugin;
  options.work_dir = folder.path();
  options.stderr_file = folder.path() / "stderr.txt";
  return options;
}

// The hostile scorer that does `deed` at `when`.
inline ScorerOptions hostile_options(const TemporaryFolder& folder, const std::string& when,
                                     const std::string& deed) {
  ScorerOptions options = options_for(hostile_plugin("hostile"), folder);
  options.options = {{"when", when}, {"do", deed}};
  return options;
}

inline std::vector<ScoreRequest> requests_of(std::initializer_list<std::string> completions) {
  std::vector<ScoreRequest> requests;
  for (const auto& completion : completions)
    requests.push_back({.prompt = "p",
                        .completion = completion,
                        .record_json = R"({"output":"b"})",
                        .finish_reason = "eos",
                        .prompt_tokens = 3,
                        .completion_tokens = 4,
                        .generation_s = 0.5});
  return requests;
}

// Scores as a job under `on_error = "fail"` does: throws for the first episode without a score.
inline void require_scores(const ScorerOptions& options, const std::vector<ScoreRequest>& requests) {
  ScorerHost scorer(options);
  const auto results = scorer.score(requests);
  for (size_t i = 0; i < results.size(); ++i)
    if (!results[i].score) throw scorer.failure_of(requests[i], results[i]);
}

// Runs `action`, which must throw a PluginError of that kind whose text holds every one of `parts`.
template <class Action>
void expect_plugin_error(PluginFailure kind, const std::vector<std::string>& parts, const Action& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected " << to_string(kind);
  } catch (const PluginError& error) {
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    for (const auto& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "no \"" << part << "\" in: " << error.what();
  }
}

// The processes of this machine whose command line or working folder names the test's folder.
inline std::vector<std::string> processes_of(const TemporaryFolder& folder) {
  std::vector<std::string> found;
  for (const SeenProcess& process : all_processes()) {
    const bool names_it = process.command_line.find(folder.path().string()) != std::string::npos;
    if (process.pid != ::getpid() && (names_it || process.working_folder == folder.path()))
      found.push_back(std::to_string(process.pid) + " " + process.command_line);
  }
  return found;
}

// Whatever ran in the test's folder ends within a second; the kernel's signals may still be on their way.
inline void expect_nothing_left(const TemporaryFolder& folder) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  auto left = processes_of(folder);
  for (; !left.empty() && std::chrono::steady_clock::now() < deadline; left = processes_of(folder))
    ::usleep(1000);
  EXPECT_TRUE(left.empty()) << (left.empty() ? "" : left.front());
}

}  // namespace rft::plugins::testing
