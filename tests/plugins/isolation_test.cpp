#include "plugins/isolation.h"

#include <gtest/gtest.h>

#include "base/subprocess.h"
#include "plugins/support.h"
#include "support/virtual_environment.h"

namespace rft::plugins {
namespace {

namespace fs = std::filesystem;

TEST(Isolation, SaysWhatIsMissingExactlyWhenSomethingIs) {
  const Isolation& isolation = available_isolation();
  EXPECT_EQ(isolation.missing.empty(), isolation.namespaces && isolation.system_call_filter)
      << isolation.missing;
  const Json json = to_json(isolation);
  EXPECT_EQ(json["namespaces"], isolation.namespaces);
  EXPECT_EQ(json["file_rules"], isolation.file_rules);
  EXPECT_EQ(json["missing"], isolation.missing);
}

// A file in the home of the user that runs the tests.
class SecretOfTheUser {
 public:
  SecretOfTheUser() : path_(fs::path(::getenv("HOME")) / (".rft-test-" + std::to_string(::getpid()))) {
    std::ofstream(path_) << "secret";
  }
  SecretOfTheUser(const SecretOfTheUser&) = delete;
  SecretOfTheUser& operator=(const SecretOfTheUser&) = delete;
  ~SecretOfTheUser() { fs::remove(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class View : public ::testing::Test {
 protected:
  // What a scorer in `folder` finds when it reads `path`.
  void expect_unreadable(const fs::path& path, const char* why) {
    ScorerOptions options = testing::hostile_options(folder_, "score", "read_file");
    options.options["path"] = path.string();
    testing::expect_plugin_error(PluginFailure::threw, {why},
                                 [&] { testing::require_scores(options, testing::requests_of({"a"})); });
  }
  ScorerOptions script(const std::string& text) {
    ScorerOptions options = testing::options_for(folder_.write("scorer.py", text), folder_);
    options.kind = "python";
    return options;
  }

  testing::TemporaryFolder folder_;
};

// A home as a daemon's is: the plugin's pinned copy and its job's folder lie in it.
TEST_F(View, OtherJobsSecretsAndHomesAreNotThere) {
  if (!available_isolation().namespaces) GTEST_SKIP() << available_isolation().missing;
  const testing::TemporaryFolder home;
  fs::create_directories(home.path() / "jobs/1-other");
  for (const char* file : {"state.db", "rftd.toml", "jobs/1-other/train.jsonl"}) home.write(file, "secret");
  for (const char* file : {"state.db", "rftd.toml", "jobs/1-other/train.jsonl"})
    expect_unreadable(home.path() / file, "No such file or directory");
  const SecretOfTheUser secret;
  expect_unreadable(secret.path(), "No such file or directory");
  if (::getuid() == 0) {
    ScorerOptions options = testing::hostile_options(folder_, "score", "read_file");
    options.options["path"] = "/etc/passwd";
    EXPECT_NO_THROW(testing::require_scores(options, testing::requests_of({"a"})));
    expect_unreadable("/etc/shadow", "Permission denied");
  }
}

// Without namespaces, as on a machine whose bubblewrap may make none, the file rules say the same.
TEST_F(View, FileRulesDenyWhatTheNamespacesWouldNotShow) {
  if (!available_isolation().namespaces || !available_isolation().file_rules)
    GTEST_SKIP() << "needs bubblewrap and Landlock";
  const SecretOfTheUser secret;
  const fs::path episodes = folder_.write("episodes.jsonl", R"({"completion":"a"})"
                                                            "\n");
  const std::string answer = (folder_.path() / "answer").string();
  const std::string command = std::string(RFT_BIN_DIR) + "/rft-plugin-host score " +
                              testing::hostile_plugin("hostile").string() +
                              " --options '{\"when\":\"score\",\"do\":\"read_file\",\"path\":\"" +
                              secret.path().string() + "\"}' < " + episodes.string() + " > " + answer;
  ProcessOptions process;
  process.argv = {"/usr/bin/bwrap", "--dev-bind", "/",       "/",  "--ro-bind", "/bin/false",
                  "/usr/bin/bwrap", "--",         "/bin/sh", "-c", command};
  Subprocess(process).wait(-1);
  EXPECT_NE(read_file(answer).find("Permission denied"), std::string::npos) << read_file(answer);
}

TEST_F(View, APythonOfAVirtualEnvironmentFindsItsPackages) {
  const testing::TemporaryFolder elsewhere;
  const fs::path python = make_virtual_environment(elsewhere.path() / "venv");
  elsewhere.write("secret", "not of the environment");
  ScorerOptions options = script(
      "import only_here, os, subprocess, sys\n"
      "assert sys.prefix.endswith('venv') and sys.base_prefix != sys.prefix\n"
      "assert not os.path.exists(os.path.join(os.path.dirname(sys.prefix), 'secret'))\n"
      "try: assert os.listdir(os.path.dirname(sys.prefix)) == ['venv']\n"
      "except PermissionError: pass  # Landlock lets nobody list it\n"
      "assert not os.access(os.path.join(sys.prefix, 'pyvenv.cfg'), os.W_OK)\n"
      "def grade(sample, item):\n"
      "    return only_here.ANSWER + int(subprocess.check_output(['wc', '-c'], input=b'12'))\n");
  options.python = python;
  EXPECT_EQ(ScorerHost(options).score(testing::requests_of({"a"}))[0].score, 44.0);
  // The same as an executable's first line names it.
  options =
      testing::options_for(folder_.write("scorer",
                                         "#!" + python.string() +
                                             "\nimport sys, only_here\n"
                                             "for line in sys.stdin: print(only_here.ANSWER, flush=True)\n",
                                         true),
                           folder_);
  options.kind = "command";
  EXPECT_EQ(ScorerHost(options).score(testing::requests_of({"a"}))[0].score, 42.0);
}

// A job's own program, named as if it were an interpreter, is never run outside the sandbox.
TEST_F(View, AnInterpreterThatAJobBringsWritesNothingOutside) {
  if (!available_isolation().namespaces) GTEST_SKIP() << available_isolation().missing;
  const testing::TemporaryFolder elsewhere;
  const fs::path written = elsewhere.path() / "written";
  const fs::path evil = folder_.write(
      "python-evil",
      "#!/bin/sh\n: 2>/dev/null >" + written.string() + "\nwhile read -r line; do echo 1; done\n", true);
  ScorerOptions options =
      testing::options_for(folder_.write("scorer", "#!" + evil.string() + "\n", true), folder_);
  options.kind = "command";
  try {
    ScorerHost(options).score(testing::requests_of({"a"}));
  } catch (const Error&) {  // whether it scores is its own affair
  }
  EXPECT_FALSE(fs::exists(written));
}

}  // namespace
}  // namespace rft::plugins
