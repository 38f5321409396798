#include "executor/local.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::executor {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LocalAttempt : public ::testing::Test {
 protected:
  // A worker that is this shell script.
  std::unique_ptr<Placement> place(const std::string& script, const std::vector<std::string>& gpus = {}) {
    const fs::path worker = write_text(temp_ / "worker", "#!/bin/sh\n" + script);
    fs::permissions(worker, fs::perms::owner_all);
    LocalExecutor executor(io_, worker);
    AttemptSpec spec{temp_.path(), "/run/worker.sock", "secret", 3, 2, gpus, temp_ / "stderr.txt"};
    return executor.place(spec, [this](const ExitStatus& status) { ended_ = status; });
  }
  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < end)
      io_.run_one_for(std::chrono::milliseconds(10));
    return condition();
  }
  std::string text(const char* file) { return fs::exists(temp_ / file) ? read_file(temp_ / file) : ""; }

  TempDir temp_;
  boost::asio::io_context io_;
  std::optional<ExitStatus> ended_;
};

TEST_F(LocalAttempt, RunsTheWorkerInTheJobsFolderAndReportsItsEnd) {
  const auto placement = place(
      "echo \"$@\" > args; echo \"$RFTD_WORKER_TOKEN $CUDA_VISIBLE_DEVICES\" > env; echo oops >&2; exit 7",
      {"GPU-a", "GPU-b"});
  ASSERT_TRUE(run_until([&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->exit_code, 7);
  EXPECT_THAT(text("args"), StartsWith("train " + temp_.path().string() +
                                       " --socket /run/worker.sock --attempt 3 --threads 2 --device cuda"));
  EXPECT_EQ(text("env"), "secret GPU-a,GPU-b\n");
  EXPECT_EQ(text("stderr.txt"), "oops\n");
}

TEST_F(LocalAttempt, HidesTheGpusFromAJobThatWasGivenNone) {
  const auto placement = place("echo \"$@ [${CUDA_VISIBLE_DEVICES-unset}]\" > args");
  ASSERT_TRUE(run_until([&] { return ended_.has_value(); }));
  EXPECT_THAT(text("args"), HasSubstr("--device cpu []"));
}

TEST_F(LocalAttempt, SpinsShortlyUnlessTheDaemonsEnvironmentSaysOtherwise) {
  ::unsetenv("OMP_WAIT_POLICY");
  ::unsetenv("GOMP_SPINCOUNT");
  const auto spin_count = [this] {
    ended_.reset();
    io_.restart();
    const auto placement = place("echo \"$GOMP_SPINCOUNT\" > spin");
    EXPECT_TRUE(run_until([&] { return ended_.has_value(); }));
    return text("spin");
  };
  EXPECT_EQ(spin_count(), "1000\n");
  ::setenv("GOMP_SPINCOUNT", "5", 1);
  EXPECT_EQ(spin_count(), "5\n");
  ::unsetenv("GOMP_SPINCOUNT");
  ::setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_EQ(spin_count(), "\n");
}

TEST_F(LocalAttempt, IsKilledWithWhatItStarted) {
  const auto placement = place("sleep 60 & echo $! > child; wait");
  ASSERT_TRUE(run_until([&] { return !text("child").empty(); }));
  const pid_t child = std::stoi(text("child"));
  placement->kill();
  ASSERT_TRUE(run_until([&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->signal, SIGKILL);
  EXPECT_TRUE(run_until([&] {
    const auto stat = fs::exists("/proc/" + std::to_string(child) + "/stat")
                          ? read_file("/proc/" + std::to_string(child) + "/stat")
                          : "gone) Z";
    return stat.find(") Z") != std::string::npos;
  }));
}

TEST_F(LocalAttempt, LivesOnWhenAbandoned) {
  auto placement = place("echo $$ > pid; sleep 60");
  ASSERT_TRUE(run_until([&] { return !text("pid").empty(); }));
  const pid_t pid = std::stoi(text("pid"));
  placement->abandon();
  placement.reset();
  EXPECT_FALSE(ended_);
  EXPECT_EQ(::kill(pid, 0), 0);
  ::kill(-pid, SIGKILL);
}

TEST_F(LocalAttempt, DiesWithItsPlacement) {
  auto placement = place("echo $$ > pid; sleep 60");
  ASSERT_TRUE(run_until([&] { return !text("pid").empty(); }));
  const pid_t pid = std::stoi(text("pid"));
  placement.reset();
  EXPECT_TRUE(run_until([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_FALSE(ended_);
}

TEST_F(LocalAttempt, SaysWhatIsMissingWhenItCannotStart) {
  LocalExecutor executor(io_, temp_ / "no-worker");
  try {
    executor.place({temp_.path(), "/s", "t", 1, 1, {}, {}}, [](const ExitStatus&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-worker"));
  }
}

}  // namespace
}  // namespace rft::executor
