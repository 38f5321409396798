// Two processes that train one job.
#include "base/sha256.h"
#include "support/processes.h"
#include "worker/train.h"

namespace rft {
namespace {

// The processes that train the job, the first rank first.
std::vector<pid_t> ranks_of(const fs::path& job) {
  std::vector<pid_t> pids;
  const std::string words = std::string("train\0", 6) + job.string() + std::string(1, '\0');
  for (const SeenProcess& process : all_processes()) {
    const std::string& line = process.command_line;
    if (line.find(words) != std::string::npos)
      pids.insert(line.find("--rank") == std::string::npos ? pids.begin() : pids.end(), process.pid);
  }
  return pids;
}

// The numbers of metrics.jsonl, line by line.
std::vector<std::map<std::string, double>> metrics_of(const fs::path& job) {
  std::vector<std::map<std::string, double>> lines;
  for_each_json_line(job / "metrics.jsonl", [&](Json&& line, size_t) {
    line.erase("time");
    lines.push_back(line.get<std::map<std::string, double>>());
  });
  return lines;
}

TEST_F(Train, TwoRanksLearnWhatOneLearns) {
  const fs::path alone = make_job("alone");
  const fs::path ranks = make_job("ranks", {.ranks = 2});
  ASSERT_EQ(run(alone).exit_code, 0);
  ASSERT_EQ(run(ranks).exit_code, 0);
  const auto expected = metrics_of(alone), found = metrics_of(ranks);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    for (const auto& [name, value] : expected[i]) {
      if (name.starts_with("time/") || name.starts_with("throughput/") || name.starts_with("memory/"))
        continue;
      EXPECT_NEAR(found[i].at(name), value, 1e-3 * (1 + std::abs(value))) << name << " in line " << i + 1;
    }
  }
  size_t rollouts = 0;
  for_each_json_line(ranks / "rollouts.jsonl", [&](Json&&, size_t) { ++rollouts; });
  EXPECT_EQ(rollouts, 4u * 16 * 4);
}

TEST_F(Train, KilledInEitherRankItEndsBitForBitLikeAnUnbrokenRun) {
  const fs::path unbroken = make_job("unbroken", {.ranks = 2});
  const fs::path broken = make_job("broken", {.ranks = 2});
  ASSERT_EQ(run(unbroken).exit_code, 0);

  for (const char* moment : {"resume_point", "progress", "validation", "metrics"}) {
    for (const size_t killed : {0, 1}) {
      Subprocess worker = start(broken);
      ASSERT_TRUE(daemon_.read_until(moment)) << moment;
      const std::vector<pid_t> ranks = ranks_of(broken);
      ASSERT_EQ(ranks.size(), 2u);
      ASSERT_EQ(ranks[0], worker.pid());
      ::kill(ranks[killed], SIGKILL);
      if (killed == 1) {
        const Json finished = daemon_.read_until("finished").value();
        EXPECT_EQ(finished["outcome"], "failed");
        EXPECT_EQ(finished["error"]["message"], "the process of rank 1 was killed by signal 9 (Killed)");
        EXPECT_EQ(finished["error"]["transient"], true);
        EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 1);
      }
      await_end_of_attempt(broken);
      EXPECT_EQ(ranks_of(broken), std::vector<pid_t>{});
      worker.wait(kPatience_ms);
      daemon_.close();
    }
  }
  ASSERT_EQ(run(broken).exit_code, 0);
  for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "validation.jsonl", "summary.json"})
    EXPECT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file;
}

}  // namespace
}  // namespace rft
