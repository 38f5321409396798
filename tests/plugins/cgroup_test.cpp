#include "plugins/cgroup.h"

#include "base/subprocess.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

// As a daemon does at its start, in the cgroup that the tests run in.
class Cgroup : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { prepare_cgroups(); }
  static void TearDownTestSuite() {
    const fs::path place = available_cgroups().folder;
    if (place.empty()) return;
    std::ofstream(place.parent_path() / "cgroup.procs") << "0";
    ::rmdir((place / "main").c_str());
    ::rmdir(place.c_str());
  }
  void SetUp() override {
    if (place_.folder.empty()) GTEST_SKIP() << place_.missing;
  }

  std::vector<fs::path> of_plugins() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(place_.folder))
      if (entry.path().filename().string().starts_with("plugin-")) found.push_back(entry.path());
    return found;
  }
  static size_t num_processes(const fs::path& cgroup) {
    std::ifstream in(cgroup / "cgroup.procs");
    size_t count = 0;
    for (std::string line; std::getline(in, line);) ++count;
    return count;
  }
  // A scorer in Python that starts processes of its own and waits for them.
  ScorerOptions script(const std::string& before_scoring) {
    ScorerOptions options = options_for(folder_.write("scorer.py", "import subprocess\n" + before_scoring +
                                                                       "def grade(sample, item): return 1\n"),
                                        folder_);
    options.kind = "python";
    return options;
  }

  const Cgroups& place_ = available_cgroups();
  TemporaryFolder folder_;
};

TEST_F(Cgroup, HoldsAllThatAPluginStartsAndGoesWithIt) {
  {
    ScorerHost scorer(script("subprocess.Popen(['sleep', '1000'])\n"));
    ASSERT_EQ(of_plugins().size(), 1u);
    EXPECT_GE(num_processes(of_plugins().front()), 3u) << "the host, the interpreter, what it started";
    EXPECT_EQ(scorer.score(requests_of({"a"}))[0].score, 1);
  }
  EXPECT_TRUE(of_plugins().empty());
  expect_nothing_left(folder_);
}

TEST_F(Cgroup, EndsItsProcesses) {
  const PluginCgroup cgroup(0);
  ProcessOptions options;
  options.argv = {"/bin/sleep", "1000"};
  options.cgroup = cgroup.entrance();
  Subprocess process(options);
  EXPECT_EQ(num_processes(cgroup.folder()), 1u);
  cgroup.kill();
  EXPECT_EQ(process.wait(10'000)->signal, SIGKILL);
}

TEST_F(Cgroup, LimitsTheMemoryOfAPluginsProcessesTogether) {
  if (!place_.memory) GTEST_SKIP() << place_.missing;
  ScorerOptions options = script(
      "hold = 'import time; held = bytearray(100 << 20); time.sleep(1000)'\n"
      "held = [subprocess.Popen(['python3', '-c', hold]) for _ in range(4)]\n"
      "held[0].wait()\n");
  options.memory_limit_bytes = uint64_t{256} << 20;
  expect_plugin_error(PluginFailure::out_of_memory, {"took more memory than the 0.25 GiB"},
                      [&] { ScorerHost scorer(options); });
}

TEST_F(Cgroup, LimitsTheProcessesOfAPluginTogether) {
  if (!place_.pids) GTEST_SKIP() << place_.missing;
  ScorerOptions options = script("for _ in range(2000): subprocess.Popen(['sleep', '1000'])\n");
  expect_plugin_error(PluginFailure::not_loadable, {"Resource temporarily unavailable"},
                      [&] { ScorerHost scorer(options); });
}

// Where nothing is delegated there is none, and nothing is done.
TEST(NoCgroup, IsNoError) {
  if (!available_cgroups().folder.empty()) GTEST_SKIP() << "there are some";
  const PluginCgroup cgroup(1 << 20);
  EXPECT_EQ(cgroup.entrance(), -1);
  EXPECT_FALSE(cgroup.ran_out_of_memory());
  EXPECT_FALSE(available_cgroups().missing.empty());
}

}  // namespace
}  // namespace rft::plugins
