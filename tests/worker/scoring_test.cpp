// Scores that fail, and scores that come in any order, by the real rft-worker.
#include <array>

#include "base/sha256.h"
#include "worker/train.h"

namespace rft {
namespace {

TEST_F(Train, AScorerThatThrowsFailsTheJobInItsOwnWords) {
  const End end =
      run(make_job("job", {.scorer = "def score(episodes):\n    raise ValueError('no such label')\n"}));
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.finished["outcome"], "failed");
  EXPECT_EQ(end.finished["error"]["code"], "plugin");
  EXPECT_EQ(end.finished["error"]["transient"], false);
  EXPECT_NE(end.finished["error"]["message"].get<std::string>().find("no such label"), std::string::npos)
      << end.finished.dump();
}

// A whole iteration, or validation, in one call: by the number of episodes a scorer knows which it is.
constexpr const char* kOneBatch = "batch_size = 128";

TEST_F(Train, AFailedScoreIsNeverANumber) {
  // Fails one training episode in four; validation prompts are never failed.
  const std::string scorer = R"(
import itertools
count = itertools.count()
def score(episodes):
    if len(episodes) == 40:
        return [0.5 for e in episodes]
    return [float("nan") if next(count) % 4 == 0 else 1.0 for e in episodes]
)";
  const fs::path job = make_job("skip", {.scorer = scorer, .on_error = "skip", .scorer_keys = kOneBatch});
  EXPECT_EQ(run(job).finished["outcome"], "succeeded");
  const std::string log = read_file(job / "log.txt");
  EXPECT_NE(log.find("the scorer failed on 16 of 64 episodes of iteration 1, first: scorer scorer.py"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("its score is NaN; the completion was \""), std::string::npos) << log;
  EXPECT_NE(log.find("its record is {\"input\":\""), std::string::npos) << log;
  size_t episodes = 0;
  for_each_json_line(job / "rollouts.jsonl", [&](Json&& line, size_t) {
    ++episodes;
    EXPECT_EQ(line["score"], 1.0);
  });
  EXPECT_EQ(episodes, 4u * 48);

  EXPECT_EQ(run(make_job("fail", {.scorer = scorer, .scorer_keys = kOneBatch})).finished["outcome"],
            "failed");
}

TEST_F(Train, AnIterationWithoutAScoreFailsTheJobWithTheFirstCause) {
  const auto message_of = [this](const std::string& name, const std::string& failing) {
    const End end = run(make_job(name, {.scorer = "def score(episodes):\n"
                                                  "    if len(episodes) == 40:\n"
                                                  "        return [0.5 for e in episodes]\n    " +
                                                  failing,
                                        .on_error = "skip",
                                        .scorer_keys = kOneBatch}));
    EXPECT_EQ(end.finished["error"]["code"], "plugin") << end.finished.dump();
    EXPECT_EQ(end.finished["error"]["failure"], "threw") << end.finished.dump();
    return end.finished["error"]["message"].get<std::string>();
  };
  for (const auto& [name, failing, cause] :
       {std::array{"batch", "raise ValueError('no such label')\n", "ValueError: no such label"},
        std::array{"each", "return [{'error': 'no idea'} for e in episodes]\n", "no idea; the completion"}}) {
    const std::string message = message_of(name, failing);
    EXPECT_NE(message.find("failed on every episode of iteration 1, first: scorer scorer.py"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find(cause), std::string::npos) << message;
  }
}

TEST_F(Train, AGroupOfWhichOneEpisodeIsLeftIsDroppedAndAnIterationOfThemFailsTheJob) {
  // Of each prompt's four samples only the first so many are scored; validation prompts have one.
  const auto scorer = [](int kept) {
    return "def score(episodes):\n"
           "    if len(episodes) == 40:\n"
           "        return [0.5 for e in episodes]\n"
           "    return [i % 4 / 4 if i % 4 < (" +
           std::to_string(kept) + " if i < 32 else 4) else float('nan') for i in range(len(episodes))]\n";
  };
  const std::string sections = "[ppo]\nadvantage_estimator = \"rloo\"";
  const fs::path job = make_job(
      "some", {.scorer = scorer(1), .on_error = "skip", .scorer_keys = kOneBatch, .sections = sections});
  EXPECT_EQ(run(job).finished["outcome"], "succeeded");
  for_each_json_line(job / "metrics.jsonl", [&](Json&& line, size_t) {
    if (!line.contains("rollout/episodes")) return;
    EXPECT_EQ(line["rollout/episodes"], 40) << "8 groups of one and 8 of four";
    EXPECT_EQ(line["objective/episodes_left_out"], 8);
  });

  const std::string none =
      "def score(episodes):\n"
      "    if len(episodes) == 40:\n"
      "        return [0.5 for e in episodes]\n"
      "    return [0.5 if i % 4 == 0 else float('nan') for i in range(len(episodes))]\n";
  const End end = run(
      make_job("none", {.scorer = none, .on_error = "skip", .scorer_keys = kOneBatch, .sections = sections}));
  EXPECT_EQ(end.finished["outcome"], "failed");
  EXPECT_NE(end.finished["error"]["message"].get<std::string>().find("two or more of a prompt"),
            std::string::npos)
      << end.finished.dump();
}

// The longer a batch takes the less it is known when it comes out; nothing of that may show.
constexpr const char* kUnevenScorer = R"(
import time
def score(episodes):
    time.sleep(0.002 * (len(episodes[0]["completion"]) % 5))
    return [1.0 if e["completion"] == e["record"]["output"] else 0.0 for e in episodes]
)";

TEST_F(Train, ScoresTheSameWithAnyNumberOfHostsAndAheadOrNot) {
  for (const int ranks : {1, 2}) {
    const auto job_with = [&](const std::string& name, const std::string& keys) {
      return make_job(name + std::to_string(ranks),
                      {.scorer = kUnevenScorer, .ranks = ranks, .scorer_keys = keys});
    };
    const fs::path one = job_with("one", "hosts = 1\nbatch_size = 128");
    const fs::path several = job_with("several", "hosts = 3\nbatch_size = 4");
    ASSERT_EQ(run(one).exit_code, 0);
    ASSERT_EQ(run(several).exit_code, 0);
    for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "validation.jsonl", "summary.json"})
      EXPECT_EQ(sha256_file(one / file), sha256_file(several / file)) << file << " of " << ranks;
    for_each_json_line(several / "metrics.jsonl", [&](Json&& line, size_t) {
      if (!line.contains("rollout/score_mean")) return;
      EXPECT_GT(line["time/score_s"], 0);
      EXPECT_GT(line["time/score_wait_s"], 0);
    });
  }
}

}  // namespace
}  // namespace rft
