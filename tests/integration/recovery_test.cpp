// kill -9 of the daemon and of its worker while a job runs: what comes next goes on where it was.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"
#include "integration/same_result.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

TEST(KilledDaemon, FindsItsJobAgainAndEndsItLikeAnUnbrokenRun) {
  DaemonHome home;
  home.start();
  const fs::path source = write_small_job(home.staging("words"));
  const int64_t unbroken = home.rftctl({"submit", source.string()}).json["id"];
  ASSERT_EQ(home.wait(unbroken)["state"], "succeeded");

  // Killed at the first event of each kind that comes after a start.
  const int64_t broken = home.rftctl({"submit", source.string()}).json["id"];
  int64_t attempts = 0;
  for (const char* moment : {"running", "progress", "metrics", "validation", "checkpoint"}) {
    home.await_state(broken, "running");
    if (std::string(moment) != "running") home.await_event(broken, moment);
    home.kill();
    home.start();
    const Json found = home.show(broken);
    EXPECT_EQ(found["id"], broken);
    EXPECT_EQ(found["name"], "words");
    EXPECT_GE(found["attempt"], attempts) << "numbers of attempts rise";
    attempts = found["attempt"];
  }
  // However long the last attempt of the killed daemon takes to end, there is never a second one beside it.
  home.await(broken, [&](const Json& job) {
    EXPECT_LE(home.worker_pids().size(), 1u) << job.dump();
    return cli::is_finished(job["state"].get<std::string>());
  });
  const Json job = home.show(broken);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_GT(job["attempt"], 4) << "it was broken off each time";
  EXPECT_EQ(job["num_failures"], 0) << "the daemon's end is no failure of the job";
  EXPECT_EQ(home.rftctl({"ls"}).json.size(), 2u);
  expect_same_result(home.job_folder(unbroken), home.job_folder(broken));
}

TEST(KilledDaemon, KeepsEveryJobThatItAcknowledged) {
  DaemonHome home;
  home.start();
  const fs::path source = write_small_job(home.staging("words"));
  std::vector<int64_t> ids;
  for (int count = 0; count < 4; ++count) {
    // --detach: it is killed while the folder is being checked, or waits.
    ids.push_back(home.rftctl({"submit", "--detach", source.string()}).json["id"]);
    home.kill();
    home.start();
  }
  EXPECT_EQ(ids, (std::vector<int64_t>{1, 2, 3, 4}));
  const Json jobs = home.rftctl({"ls"}).json;
  ASSERT_EQ(jobs.size(), 4u) << jobs.dump();
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(jobs[i]["id"], 4 - i) << jobs.dump();
  for (const int64_t id : ids) EXPECT_EQ(home.wait(id)["state"], "succeeded");
}

TEST(KilledDaemon, TakesWhatWasDroppedWhileItWasGone) {
  DaemonHome home;
  home.start();
  home.kill();
  fs::rename(write_small_job(home.staging("words")), home.incoming("words"));
  home.start();
  home.await_state(home.job_of_folder("words"), "running");
}

TEST(KilledWorker, IsTriedAgainAndEndsLikeAnUnbrokenRun) {
  DaemonHome home;
  home.start();
  const fs::path source = write_small_job(home.staging("words"), {.epochs = 6});
  const int64_t unbroken = home.rftctl({"submit", source.string()}).json["id"];
  ASSERT_EQ(home.wait(unbroken)["state"], "succeeded");

  const int64_t broken = home.rftctl({"submit", source.string()}).json["id"];
  home.await_iteration(broken);
  const auto workers = home.worker_pids();
  ASSERT_EQ(workers.size(), 1u);
  ::kill(workers.front(), SIGKILL);
  const Json retrying = home.await_state(broken, "retrying");
  EXPECT_THAT(retrying["reason"].get<std::string>(), HasSubstr("was killed by signal 9"));

  const Json job = home.wait(broken);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_EQ(job["attempt"], 2);
  EXPECT_EQ(job["num_failures"], 1);
  const std::string why = home.rftctl({"why", std::to_string(broken)}).json.dump();
  EXPECT_THAT(why, HasSubstr("was killed by signal 9"));
  EXPECT_THAT(why, HasSubstr("1 of at most 5 attempts have failed"));
  expect_same_result(home.job_folder(unbroken), home.job_folder(broken));
}

TEST(KilledWorker, IsGivenUpAfterItsAttemptsWithTheCause) {
  DaemonHome home;
  home.start();
  const int64_t id = home.drop(write_small_job(home.staging("words"), {.epochs = 10000, .max_attempts = 2}));
  for (int64_t attempt = 1; attempt <= 2; ++attempt) {
    home.await(id, [&](const Json& job) { return job["attempt"] == attempt && job["state"] == "running"; });
    home.await_event(id, "progress");
    for (const pid_t worker : home.worker_pids()) ::kill(worker, SIGKILL);
  }
  const Json job = home.wait(id);
  EXPECT_EQ(job["state"], "failed");
  EXPECT_THAT(job["reason"].get<std::string>(), HasSubstr("given up after 2 failed attempts"));
  EXPECT_THAT(job["reason"].get<std::string>(), HasSubstr("was killed by signal 9"));
  EXPECT_THAT(home.rftctl({"why", std::to_string(id)}).json.dump(), HasSubstr("was killed by signal 9"));
}

TEST(KilledRank, EndsTheAttemptWithTheCauseAndTheNextEndsLikeAnUnbrokenRun) {
  DaemonHome home(std::string(kQuickRetries) + "[capacity]\ncores = 2\n");
  home.start();
  const fs::path source = write_small_job(home.staging("words"), {.epochs = 6, .cores = 2, .ranks = 2});
  const int64_t unbroken = home.rftctl({"submit", source.string()}).json["id"];
  ASSERT_EQ(home.wait(unbroken)["state"], "succeeded");

  const int64_t broken = home.rftctl({"submit", source.string()}).json["id"];
  home.await_iteration(broken);
  const auto workers = home.worker_pids();
  ASSERT_EQ(workers.size(), 2u);
  ::kill(std::max(workers[0], workers[1]), SIGKILL);  // the later one: started by the other
  const Json retrying = home.await_state(broken, "retrying");
  EXPECT_THAT(retrying["reason"].get<std::string>(), HasSubstr("rank 1 was killed by signal 9"));
  const Json job = home.wait(broken);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_EQ(job["attempt"], 2);
  expect_same_result(home.job_folder(unbroken), home.job_folder(broken));
}

TEST(SecondDaemon, RefusesTheHomeAndTheFirstServesOn) {
  DaemonHome home;
  home.start();
  const Json before = home.rftctl({"doctor"}).json;
  Subprocess second(home.program());
  const auto status = second.wait(10'000);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 1);
  EXPECT_THAT(home.log(), HasSubstr("another rftd serves"));
  EXPECT_EQ(home.rftctl({"submit", write_small_job(home.staging("words")).string()}).exit_code, 0);
  EXPECT_FALSE(home.rftd().wait(0));
}

}  // namespace
}  // namespace rft::integration
