// A scorer that takes another's place in a job under way, by the real rft-worker.
#include <set>

#include "base/sha256.h"
#include "worker/train.h"

namespace rft {
namespace {

// What the daemon says of a scorer that is to take the place of the job's own; `text` is its file's.
Json swap_for(const fs::path& job, const std::string& text) {
  write_file_atomically(job / "other.py", text);
  const Json pinned = {{"plugin", "other.py"},
                       {"options", Json::object()},
                       {"path", (job / "other.py").string()},
                       {"kind", "python"},
                       {"digest", "other"},
                       {"trusted", !plugins::available_isolation().namespaces}};
  return {{"type", "swap_scorer"},     {"number", 1},
          {"plugin", "other.py"},      {"options", Json::object()},
          {"scorers", {{"", pinned}}}, {"pause_if_refused", false}};
}

// Half the points for what is right, none for the rest: nothing of it is as the first scorer had it.
constexpr const char* kHalfScorer = R"(
def score(episodes):
    return [{"score": 0.5 if e["completion"] == e["record"]["output"] else 0.0, "reason": "half"} for e in episodes]
)";

// Long enough for whatever is to happen in the middle of it.
constexpr int kManyEpochs = 1000;

// The newest resume point's state.
Json state_of(const fs::path& job) {
  std::set<fs::path> points;
  for (const auto& entry : fs::directory_iterator(job / "resume"))
    if (entry.path().filename().string().starts_with("point-")) points.insert(entry.path());
  return parse_json(read_file(*points.rbegin() / "state.json"), "state");
}

TEST_F(Train, SwapsTheScorerBetweenIterationsAndScoresThePastAnew) {
  const fs::path job = make_job("job", {.epochs = kManyEpochs});
  Subprocess worker = start(job);
  const auto await_iteration = [&] {
    while (!daemon_.read_until("metrics").value()["values"].contains("rollout/score_mean")) {
    }
  };
  await_iteration();
  daemon_.write(swap_for(job, kHalfScorer));
  std::set<std::string> rescored;
  Json outcome;
  while ((outcome = daemon_.read().value())["type"] != "scorer_swap")
    if (outcome["type"] == "validation" && outcome.contains("scorer_swaps"))
      rescored.insert(outcome["stage"].get<std::string>() + "/" + outcome["split"].get<std::string>());
  EXPECT_EQ(outcome["taken"], true) << outcome.dump();
  const int64_t iteration = outcome["iteration"];
  for (const char* key : {"base/validation", "warmup/validation", "base/test", "warmup/test"})
    EXPECT_TRUE(rescored.contains(key)) << key;
  for (int i = 0; i < 3; ++i) await_iteration();  // an epoch's end among them
  daemon_.write({{"type", "stop"}});
  ASSERT_EQ(daemon_.read_until("finished").value()["outcome"], "stopped");
  worker.wait(kPatience_ms);
  daemon_.close();

  for_each_json_line(job / "metrics.jsonl", [&](Json&& line, size_t) {
    if (!line.contains("rollout/score_mean")) return;
    EXPECT_EQ(line.contains("scorer_swaps"), line["iteration"] > iteration) << line.dump();
  });
  for_each_json_line(job / "rollouts.jsonl", [&](Json&& line, size_t) {
    EXPECT_EQ(line.contains("reason"), line["iteration"] > iteration) << line.dump();
  });
  // What both have scored is the same completions, worth half as much to the second.
  std::map<std::string, std::array<double, 2>> sums;  // by stage, split and iteration
  for_each_json_line(job / "validation.jsonl", [&](Json&& line, size_t) {
    const std::string key = line["stage"].dump() + line["split"].dump() + line["iteration"].dump();
    sums[key].at(line.contains("scorer_swaps")) += line["score"].get<double>();
  });
  for (const auto& [key, by_scorer] : sums)
    if (by_scorer[0] > 0 && by_scorer[1] > 0) {
      EXPECT_EQ(by_scorer[0], 2 * by_scorer[1]) << key;
    }

  // Nothing of the first scorer's is left in what is compared.
  const Json state = state_of(job);
  EXPECT_EQ(state["scorer"]["plugin"], "other.py");
  const Json swap = state["results"]["scorer_swaps"][0];
  EXPECT_EQ(swap["from"], "scorer.py");
  EXPECT_EQ(swap["to"], "other.py");
  EXPECT_EQ(swap["iteration"], iteration);
  for (const char* split : {"validation", "test"})
    for (const Json& figures : state["results"][split]) EXPECT_LE(figures["score_mean"], 0.5) << split;
  for (const Json& entry : state["checkpoints"]) EXPECT_LE(entry["value"], 0.5);
}

// By the plan a failed score fails the job.
TEST_F(Train, WhatFailsAfterASwapIsByTheSettingsOfTheSwap) {
  const fs::path job = make_job("job");
  const std::string first = read_file(job / "data/train.jsonl");
  const Json record = parse_json(first.substr(0, first.find('\n')), "the first record").at("record");
  Json swap = swap_for(job,
                       "def score(episodes):\n"
                       "    return [float('nan') if e['record']['input'] == " +
                           record.at("input").dump() + " else 0.5 for e in episodes]\n");
  swap["settings"] = "[scorer]\non_error = \"skip\"\n";
  Subprocess worker = start(job, swap);
  EXPECT_EQ(daemon_.read_until("scorer_swap").value()["taken"], true);
  const Json finished = daemon_.read_until("finished").value();
  EXPECT_EQ(finished["outcome"], "succeeded") << finished.dump();
  size_t rollouts = 0;
  for_each_json_line(job / "rollouts.jsonl", [&](Json&&, size_t) { ++rollouts; });
  EXPECT_EQ(rollouts, (4u * 16 - 2) * 4) << "the record is left out of both epochs";
  worker.wait(kPatience_ms);
  daemon_.close();
}

TEST_F(Train, AScorerThatFailsItsCheckDoesNotTakeThePlaceOfTheOld) {
  const fs::path job = make_job("job", {.epochs = kManyEpochs});
  Subprocess worker =
      start(job, swap_for(job, "def score(episodes):\n    return [float('nan') for e in episodes]\n"));
  const Json outcome = daemon_.read_until("scorer_swap").value();
  EXPECT_EQ(outcome["taken"], false);
  EXPECT_NE(outcome["reason"].get<std::string>().find("scorer other.py"), std::string::npos)
      << outcome.dump();
  ASSERT_TRUE(daemon_.read_until("metrics"));
  daemon_.write({{"type", "stop"}});
  EXPECT_EQ(daemon_.read_until("finished").value()["outcome"], "stopped");
  worker.wait(kPatience_ms);
  daemon_.close();
  EXPECT_TRUE(state_of(job)["scorer"].is_null());
  for_each_json_line(job / "validation.jsonl",
                     [&](Json&& line, size_t) { EXPECT_FALSE(line.contains("scorer_swaps")); });
}

TEST_F(Train, AJobThatMustRefuseAScorerOfNobodyWaitingPauses) {
  const fs::path job = make_job("job");
  Json swap = swap_for(job, "raise SystemExit('not today')\n");
  swap["pause_if_refused"] = true;
  Subprocess worker = start(job, swap);
  const Json finished = daemon_.read_until("finished").value();
  EXPECT_EQ(finished["outcome"], "paused") << finished.dump();
  EXPECT_NE(finished["reason"].get<std::string>().find("does not take the place of the scorer"),
            std::string::npos)
      << finished.dump();
  worker.wait(kPatience_ms);
  daemon_.close();
}

TEST_F(Train, ASwappedJobThatIsKilledEndsBitForBitLikeAnUnbrokenOne) {
  for (const int ranks : {1, 2}) {
    const std::string number = std::to_string(ranks);
    const fs::path unbroken = make_job("unbroken" + number, {.ranks = ranks});
    const fs::path broken = make_job("broken" + number, {.ranks = ranks});
    // Told of at the start, it is taken before the first iteration; as the daemon does, each attempt is told.
    const auto run_told = [&](const fs::path& job) {
      Subprocess worker = start(job, swap_for(job, kHalfScorer));
      EXPECT_EQ(daemon_.read_until("finished").value()["outcome"], "succeeded");
      EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 0);
      daemon_.close();
    };
    run_told(unbroken);
    // Before, while and after it is taken.
    std::vector<const char*> moments = {"checkpoint", "scorer_swap"};
    if (ranks == 1) moments.push_back("validation");
    for (const char* moment : moments) {
      Subprocess worker = start(broken, swap_for(broken, kHalfScorer));
      ASSERT_TRUE(daemon_.read_until(moment)) << moment;
      worker.signal(SIGKILL);
      worker.wait(kPatience_ms);
      daemon_.close();
      await_end_of_attempt(broken);
    }
    run_told(broken);
    for (const char* file : {"model/model.safetensors", "rollouts.jsonl"})
      EXPECT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file << " of " << ranks;
    EXPECT_EQ(read_file(unbroken / "validation.jsonl"), read_file(broken / "validation.jsonl"));
  }
}

}  // namespace
}  // namespace rft
