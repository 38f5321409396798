// pause, resume, cancel and retry of a job that really trains.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

class Commands : public ::testing::Test {
 protected:
  Commands() { home_.start(); }

  int64_t start_job(const SmallJob& job = {}) {
    const int64_t id = home_.drop(write_small_job(home_.staging("words"), job));
    home_.await_iteration(id);
    return id;
  }
  Answer on(const char* verb, int64_t id) { return home_.rftctl({verb, std::to_string(id)}); }

  DaemonHome home_;
};

TEST_F(Commands, PausedJobHasNoWorkerAndResumesWhereItWas) {
  const int64_t id = start_job({.epochs = 6});
  const Answer paused = on("pause", id);
  ASSERT_EQ(paused.exit_code, 0) << paused.errors;
  EXPECT_EQ(paused.json["state"], "paused") << "it answers after its effect";
  EXPECT_TRUE(home_.worker_pids().empty());
  EXPECT_FALSE(fs::is_empty(home_.job_folder(id) / "resume"));

  ASSERT_EQ(on("resume", id).exit_code, 0);
  const Json job = home_.wait(id);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_EQ(job["num_failures"], 0);
  EXPECT_THAT(read_file(home_.job_folder(id) / "log.txt"), HasSubstr("resumed after iteration"));
  EXPECT_EQ(on("pause", id).exit_code, cli::kConflict);
}

TEST_F(Commands, PausedJobStaysPausedThroughARestart) {
  const int64_t id = start_job({.epochs = 10000});
  ASSERT_EQ(on("pause", id).exit_code, 0);
  home_.kill();
  home_.start();
  EXPECT_EQ(home_.show(id)["state"], "paused");
  const auto waited =
      cli::run_program(std::string(RFT_BIN_DIR) + "/rftctl",
                       {"wait", std::to_string(id), "--timeout", "1", "--home", home_.root()});
  EXPECT_EQ(waited.exit_code, cli::kTimedOut);
  EXPECT_THAT(waited.errors, HasSubstr("does not go on by itself: paused by its owner"));
  EXPECT_EQ(on("resume", id).exit_code, 0);
  home_.await_state(id, "running");
}

TEST_F(Commands, CancelledJobIsTakenUpAgainByRetry) {
  const int64_t id = start_job({.epochs = 6});
  const Answer cancelled = on("cancel", id);
  ASSERT_EQ(cancelled.exit_code, 0) << cancelled.errors;
  EXPECT_EQ(cancelled.json["state"], "cancelled");
  EXPECT_TRUE(home_.worker_pids().empty());
  EXPECT_EQ(home_.rftctl({"wait", std::to_string(id)}).exit_code, cli::kCancelled);
  const Answer exported = home_.rftctl({"export", std::to_string(id), home_.staging("model").string()});
  EXPECT_EQ(exported.exit_code, cli::kConflict);
  EXPECT_THAT(exported.errors, HasSubstr("its best weights so far are in "));

  ASSERT_EQ(on("retry", id).exit_code, 0);
  EXPECT_EQ(home_.wait(id)["state"], "succeeded");
  EXPECT_THAT(read_file(home_.job_folder(id) / "log.txt"), HasSubstr("resumed after iteration"));
  EXPECT_EQ(on("retry", id).exit_code, cli::kConflict);
}

TEST_F(Commands, WaitingJobSaysWhatItWaitsForAndNumbersAreNotUsedTwice) {
  const int64_t first = start_job({.epochs = 10000, .cores = 0});
  const int64_t second = home_.drop(write_small_job(home_.staging("more"), {.cores = 0}));
  home_.await_state(second, "queued");
  EXPECT_THAT(on("why", second).json.dump(), HasSubstr("core"));
  for (const int64_t id : {second, first}) EXPECT_EQ(on("cancel", id).exit_code, 0);
  home_.kill();
  home_.start();
  EXPECT_EQ(home_.rftctl({"submit", write_small_job(home_.staging("third")).string()}).json["id"],
            second + 1);
}

// An adapter that takes its time keeps a job in its admission.
TEST_F(Commands, SubmitEndsWhenTheDaemonGoesDuringTheAdmission) {
  const fs::path folder = write_small_job(home_.staging("slow"));
  std::string toml = read_file(folder / "job.toml");
  toml.insert(toml.find("[scorer]"), "adapter = \"slow.py\"\n");
  write_text(folder / "job.toml", toml);
  write_text(folder / "slow.py",
             "import time\ndef adapt(record):\n    print('asked', flush=True)\n    time.sleep(1000)\n");
  ProcessOptions submit;
  submit.argv = {std::string(RFT_BIN_DIR) + "/rftctl", "submit", folder, "--home", home_.root()};
  submit.stderr_file = home_.staging("said");
  Subprocess rftctl(submit);
  const fs::path log = home_.root() / "jobs/1-slow/admission.log";
  home_.find_after_events("the adapter at work", [&]() -> std::optional<bool> {
    return fs::exists(log) && !read_file(log).empty() ? std::optional(true) : std::nullopt;
  });
  home_.kill();
  const auto status = rftctl.wait(static_cast<int>(std::chrono::milliseconds(kPatience).count()));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, cli::kUnreachable);
  EXPECT_THAT(read_file(home_.staging("said")), ::testing::HasSubstr("gone while it checked job 1"));
}

TEST_F(Commands, UnknownJobsAndWrongArgumentsHaveTheirExitCodes) {
  EXPECT_EQ(on("show", 99).exit_code, cli::kNotFound);
  EXPECT_EQ(home_.rftctl({"submit", "/no/such/folder"}).exit_code, cli::kNotFound);
  EXPECT_EQ(home_.rftctl({"shw"}).exit_code, cli::kUsage);
  home_.kill();
  EXPECT_EQ(on("show", 1).exit_code, cli::kUnreachable);
}

}  // namespace
}  // namespace rft::integration
