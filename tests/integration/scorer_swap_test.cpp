// Another scorer for a job that really trains.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Right answers get `points`; the reason names it.
std::string scorer_of(const std::string& name, const std::string& points) {
  return "def grade(sample, item):\n"
         "    right = sample['output_text'] == item['output']\n"
         "    return {'score': " +
         points + " * right, 'reason': '" + name + "'}\n";
}

class ScorerSwap : public ::testing::Test {
 protected:
  ScorerSwap() { home_.start(); }

  int64_t start_job() {
    const int64_t id = home_.drop(
        write_small_job(home_.staging("words"), {.scorer_text = scorer_of("first", "1.0"), .epochs = 10000}));
    home_.await_iteration(id);
    return id;
  }
  std::string file(const std::string& name, const std::string& text) const {
    return write_text(home_.staging(name), text).string();
  }
  Answer swap(int64_t id, const std::vector<std::string>& how) const {
    std::vector<std::string> arguments = {"scorer", "swap", std::to_string(id)};
    arguments.insert(arguments.end(), how.begin(), how.end());
    return home_.rftctl(arguments);
  }
  // The reasons of the rollouts whose iteration `holds` is true of.
  std::vector<std::string> reasons(int64_t id, const std::function<bool(int64_t)>& holds) const {
    std::vector<std::string> found;
    for_each_json_line(home_.job_folder(id) / "rollouts.jsonl", [&](Json&& row, size_t) {
      if (holds(row.at("iteration"))) found.push_back(row.at("reason"));
    });
    return found;
  }

  DaemonHome home_;
};

TEST_F(ScorerSwap, GoesOnWithTheNewOneAlsoInTheNextAttempt) {
  const int64_t id = start_job();
  const Answer answer = swap(id, {file("second.py", scorer_of("second", "0.5"))});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_EQ(answer.json["scorer"], "second.py");
  EXPECT_EQ(answer.json["scorer_swap"]["state"], "taken");
  const int64_t after = answer.json["scorer_swap"]["iteration"];
  EXPECT_LE(answer.json["validation"]["warmup/validation"]["value"], 0.5) << "scored anew";

  for (const pid_t worker : home_.worker_pids()) ::kill(worker, SIGKILL);
  home_.await(id, [](const Json& job) { return job.at("attempt") == 2 && job.at("state") == "running"; });
  home_.await_iteration(id);
  ASSERT_EQ(home_.rftctl({"cancel", std::to_string(id)}).exit_code, 0);
  EXPECT_THAT(reasons(id, [&](int64_t iteration) { return iteration <= after; }), Each("first"));
  EXPECT_THAT(reasons(id, [&](int64_t iteration) { return iteration > after; }),
              AllOf(Not(IsEmpty()), Each("second")));
  EXPECT_THAT(home_.rftctl({"why", std::to_string(id)}).json.dump(),
              HasSubstr("the scorer second.py took the place of scorer.py"));
  EXPECT_EQ(swap(id, {"regex"}).exit_code, cli::kConflict) << "it has ended";
}

TEST_F(ScorerSwap, GivesTheNewOneItsSettingsAlsoInTheNextAttempt) {
  const int64_t id = start_job();
  const std::string text =
      "import os\n"
      "def score(episodes):\n"
      "    return [{'score': 0, 'reason': os.environ['RFT_TIMEOUT_S']} for e in episodes]\n";
  const Answer answer = swap(id, {file("tells.py", text), "--set", "scorer.timeout_s=33"});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  const int64_t after = answer.json["scorer_swap"]["iteration"];
  for (const pid_t worker : home_.worker_pids()) ::kill(worker, SIGKILL);
  home_.await(id, [](const Json& job) { return job.at("attempt") == 2 && job.at("state") == "running"; });
  home_.await_iteration(id);
  ASSERT_EQ(home_.rftctl({"cancel", std::to_string(id)}).exit_code, 0);
  EXPECT_THAT(reasons(id, [&](int64_t iteration) { return iteration > after; }),
              AllOf(Not(IsEmpty()), Each(::testing::StartsWith("33"))));
}

TEST_F(ScorerSwap, LeavesTheOldOneWhereTheNewOneFails) {
  const int64_t id = start_job();
  const Answer broken = swap(id, {file("broken.py", "def score(episodes):\n    return episodes[0]['no']\n")});
  EXPECT_EQ(broken.exit_code, cli::kFailed);
  EXPECT_THAT(broken.errors, HasSubstr("scorer broken.py"));
  EXPECT_THAT(broken.errors, HasSubstr("KeyError"));
  EXPECT_EQ(swap(id, {"no_such_scorer"}).exit_code, cli::kNotFound);
  EXPECT_EQ(swap(id, {"regex", "--options", "{"}).exit_code, cli::kUsage);
  EXPECT_EQ(swap(id, {"regex", "--options", R"({"pattern": "("})"}).exit_code, cli::kFailed);
  home_.await_iteration(id);
  const Json job = home_.show(id);
  EXPECT_EQ(job["scorer"], "scorer.py");
  EXPECT_THAT(job["warnings"].dump(), HasSubstr("scorer_swap_refused"));
  EXPECT_THAT(reasons(id, [](int64_t) { return true; }), Each("first"));
}

// Its process goes down over the job's own episodes, which are kept; the job goes on with the old one.
TEST_F(ScorerSwap, WhatCrashesInItsTrialIsInQuarantine) {
  const int64_t id = start_job();
  const std::string crash = file("crash.py", "import os\ndef score(episodes):\n    os._exit(3)\n");
  const Answer first = swap(id, {crash});
  EXPECT_EQ(first.exit_code, cli::kFailed);
  EXPECT_THAT(first.errors, HasSubstr("exited with code 3"));
  const Json report = home_.rftctl({"plugins", "why", "crash.py"}).json.at(0);
  EXPECT_EQ(report["job"], id);
  EXPECT_EQ(report["failure"], "crashed");
  EXPECT_THAT(read_file(report["input"].get<std::string>()), HasSubstr("\"completion\""));
  EXPECT_THAT(swap(id, {crash}).errors, HasSubstr("it is in quarantine since"));
  home_.await_iteration(id);
  EXPECT_EQ(home_.show(id)["scorer"], "scorer.py");
}

TEST_F(ScorerSwap, APausedJobTakesItWhenItGoesOn) {
  const int64_t id = start_job();
  ASSERT_EQ(home_.rftctl({"pause", std::to_string(id)}).exit_code, 0);
  const Answer kept =
      swap(id, {"classification", "--options", R"({"labels": ["vowel", "letter"], "partial_credit": 0.1})"});
  ASSERT_EQ(kept.exit_code, 0) << kept.errors;
  EXPECT_EQ(kept.json["scorer_swap"]["state"], "pending");
  EXPECT_EQ(kept.json["state"], "paused");
  ASSERT_EQ(home_.rftctl({"resume", std::to_string(id)}).exit_code, 0);
  home_.await(id, [](const Json& job) { return job.at("scorer") == "classification"; });
}

}  // namespace
}  // namespace rft::integration
