// examples/retarget, by the commands of its README.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"

namespace rft::integration {
namespace {

// The commands of the README, as they stand there.
std::vector<std::string> commands_of(const fs::path& readme) {
  std::vector<std::string> commands;
  std::istringstream lines(read_file(readme));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("rftctl ")) commands.push_back(line);
  return commands;
}

TEST(Retarget, DoesWhatItsReadmeSays) {
  const fs::path source = RFT_SOURCE_DIR;
  const std::vector<std::string> commands = commands_of(source / "examples/retarget/README.md");
  ASSERT_EQ(commands.size(), 7U);
  DaemonHome home("");
  home.start();
  const auto run = [&](const std::string& command) {
    Subprocess shell({.argv = {"/bin/sh", "-c", command},
                      .environment = {{"PATH", std::string(RFT_BIN_DIR) + ":/usr/bin:/bin"},
                                      {"RFTD_HOME", home.root().string()}},
                      .working_directory = source});
    EXPECT_EQ(shell.wait(120'000).value().exit_code, 0) << command;
  };
  for (size_t i = 0; i < 4; ++i) run(commands[i]);
  EXPECT_EQ(home.show(1)["state"], "succeeded");
  run(commands[4]);
  const Json job = home.show(2);
  EXPECT_EQ(job["scorer_swap"]["state"], "taken");
  EXPECT_EQ(job["scorer_swap"]["options"]["days"], 21);
  EXPECT_GT(job["validation"]["base/validation"]["scorer_swaps"], 0);
  EXPECT_EQ(home.rftctl({"cancel", "2"}).exit_code, 0) << "the rest is like any job's";
}

}  // namespace
}  // namespace rft::integration
