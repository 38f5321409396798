// Fifty kills -9 at seeded moments: in every phase of a job, somewhere within it.
#include <random>
#include <thread>

#include "integration/daemon_home.h"
#include "integration/same_result.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

constexpr int kKillsOfAJob = 5;

class SeededKills : public ::testing::TestWithParam<unsigned> {
 protected:
  SeededKills()
      : home_("[intake]\nsettle_s = 0.3\n[retry]\nfirst_delay_s = 0.1\nmax_delay_s = 0.1\n"),
        random_(GetParam()) {}

  // Into one of the stages that go on again and again, and up to 40 ms further.
  void await_moment(int64_t job) {
    static const std::array<const char*, 5> stages = {"rollout", "score", "update", "validation",
                                                      "checkpoint"};
    const std::string stage = stages[random_() % stages.size()];
    if (stage == "checkpoint")
      home_.await_event(job, stage);
    else
      home_.await_event(job, "progress", [&](const Json& event) { return event.at("phase") == stage; });
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 40'000));
  }
  // The daemon every fourth time, else the worker.
  void kill_something(int64_t job) {
    if (random_() % 4 == 0) {
      home_.kill();
      home_.start();
      return;
    }
    const auto workers = home_.worker_pids();
    ASSERT_EQ(workers.size(), 1u);
    ::kill(workers.front(), SIGKILL);
    const int64_t attempt = home_.show(job)["attempt"];
    home_.await(job, [&](const Json& now) { return now["state"] != "running" || now["attempt"] > attempt; });
  }

  DaemonHome home_;
  std::mt19937 random_;
};

TEST_P(SeededKills, EndLikeAnUnbrokenRun) {
  home_.start();
  const fs::path source = write_small_job(home_.staging("words"), {.epochs = 30, .max_attempts = 100});
  const int64_t unbroken = home_.rftctl({"submit", source.string()}).json["id"];
  ASSERT_EQ(home_.wait(unbroken)["state"], "succeeded");

  const int64_t broken = home_.rftctl({"submit", source.string()}).json["id"];
  for (int count = 0; count < kKillsOfAJob; ++count) {
    home_.await_state(broken, "running");
    await_moment(broken);
    kill_something(broken);
  }
  const Json job = home_.wait(broken);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_EQ(job["attempt"], 1 + kKillsOfAJob) << "each kill ended an attempt";
  expect_same_result(home_.job_folder(unbroken), home_.job_folder(broken));
}
INSTANTIATE_TEST_SUITE_P(Seed, SeededKills, ::testing::Range(0u, 10u));

}  // namespace
}  // namespace rft::integration
