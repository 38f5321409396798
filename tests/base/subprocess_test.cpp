#include "base/subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"

namespace rft {
namespace {

ProcessOptions shell(const std::string& script) { return {.argv = {"/bin/sh", "-c", script}}; }

TEST(Subprocess, TellsExitCodesFromSignals) {
  Subprocess exits(shell("exit 3"));
  const auto code = exits.wait(-1);
  ASSERT_TRUE(code);
  EXPECT_EQ(code->exit_code, 3);
  EXPECT_FALSE(code->signal);

  Subprocess dies(shell("kill -SEGV $$"));
  const auto death = dies.wait(-1);
  ASSERT_TRUE(death);
  EXPECT_EQ(death->signal, SIGSEGV);
  EXPECT_EQ(death->text(), "was killed by signal 11 (Segmentation fault)");
}

TEST(Subprocess, AProgramThatCannotRunIsAnErrorOfTheConstructor) {
  EXPECT_THROW(Subprocess({.argv = {"/nowhere/program"}}), Error);
}

TEST(Subprocess, WaitGivesUpAfterItsTime) {
  const auto start = std::chrono::steady_clock::now();
  Subprocess blocked({.argv = {"/bin/sleep", "30"}});
  EXPECT_FALSE(blocked.wait(20));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Subprocess, ItsEndTakesTheWholeGroup) {
  const TempDir dir;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd ours(ends[0]);
  {
    UniqueFd theirs(ends[1]);
    ProcessOptions options = shell("sleep 30 & echo started >&3; wait");
    options.descriptors = {{theirs.get(), 3}};
    const Subprocess parent(options);
    theirs.reset();
    char started[8];
    ASSERT_EQ(::read(ours.get(), started, sizeof started), 8);
  }
  // The grandchild held the other end too; it reads as closed once both are gone.
  char nothing;
  EXPECT_EQ(::read(ours.get(), &nothing, 1), 0);
}

TEST(Subprocess, PassesOnlyTheDescriptorsAskedFor) {
  const TempDir dir;
  const UniqueFd leaked(::dup(0));  // without close-on-exec
  ProcessOptions options;
  options.argv = {"/bin/ls", "/proc/self/fd"};
  options.stderr_file = dir / "listed";
  Subprocess child(options);
  child.wait(-1);
  EXPECT_EQ(read_file(dir / "listed"), "0\n1\n2\n3\n");  // the last is ls's own, of the folder
}

TEST(Subprocess, EnvironmentIsAddedToTheParents) {
  const TempDir dir;
  ProcessOptions options = shell("echo \"$RFT_TEST_VALUE ${PATH:+path}\" > " + (dir / "out").string());
  options.environment = {{"RFT_TEST_VALUE", "set"}};
  Subprocess child(options);
  child.wait(-1);
  EXPECT_EQ(read_file(dir / "out"), "set path\n");
}

}  // namespace
}  // namespace rft
