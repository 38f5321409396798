#include "worker/train.h"

#include <iterator>
#include <random>
#include <sstream>

#include "base/sha256.h"
#include "worker/inspect.h"

namespace rft {
namespace {

TEST_F(Train, GoesFromDataToAnExportedModelAndTellsItsFigures) {
  const fs::path job = make_job("job");
  const End end = run(job);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.finished["outcome"], "succeeded") << end.finished.dump();
  const Json& result = end.finished["result"];
  for (const char* stage : {"base", "warmup", "final"})
    EXPECT_TRUE(result["test"][stage].contains("score_mean")) << stage;
  EXPECT_GT(result["test"]["warmup"]["score_mean"], result["test"]["base"]["score_mean"]);
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    EXPECT_TRUE(fs::exists(job / "model" / file)) << file;

  size_t rollouts = 0, last_iteration = 0;
  for_each_json_line(job / "rollouts.jsonl", [&](Json&& line, size_t) {
    ++rollouts;
    last_iteration = line.at("iteration");
    EXPECT_TRUE(line.at("score").is_number());
    EXPECT_TRUE(line.contains("kl_to_reference"));
  });
  EXPECT_EQ(rollouts, 4u * 16 * 4) << "iterations x prompts x samples";
  EXPECT_EQ(last_iteration, 4u);
  size_t validated = 0;
  for_each_json_line(job / "validation.jsonl", [&](Json&&, size_t) { ++validated; });
  EXPECT_EQ(validated, 40u * (2 + 2) + 40u * 3) << "validation at 4 stages, test at 3";
}

TEST_F(Train, AWarmUpRecordLongerThanTheModelsContextEndsTheJobByItsNumber) {
  const fs::path job = make_job("job");
  const Json longest = {{"prompt", "a"}, {"output", std::string(50'000, 'z')}, {"record", Json::object()}};
  write_text(job / "data/warmup.jsonl", dump_json(longest) + "\n");
  const End end = run(job);
  EXPECT_EQ(end.finished["outcome"], "failed");
  EXPECT_NE(end.finished.dump().find("warm-up record 1: prompt and output have"), std::string::npos)
      << end.finished.dump();
}

TEST_F(Train, TheFirstIterationStartsAtTheReference) {
  const fs::path job = make_job("job");
  ASSERT_EQ(run(job).exit_code, 0);
  bool seen = false;
  for_each_json_line(job / "metrics.jsonl", [&](Json&& line, size_t) {
    if (seen || !line.contains("objective/kl_to_reference")) return;
    seen = true;
    EXPECT_NEAR(line["objective/kl_to_reference"].get<double>(), 0, 1e-5);
  });
  EXPECT_TRUE(seen);
}

TEST_F(Train, KilledAtAnyPointItEndsBitForBitLikeAnUnbrokenRun) {
  const fs::path unbroken = make_job("unbroken");
  const fs::path broken = make_job("broken");
  ASSERT_EQ(run(unbroken).exit_code, 0);
  run_killed(broken, {"resume_point", "progress", "metrics", "validation", "checkpoint", "metrics"});
  for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "validation.jsonl", "summary.json"})
    EXPECT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file;
}

TEST_F(Train, KilledAtSeededPointsOfEveryStageItEndsLikeAnUnbrokenRun) {
  const char* const asked = std::getenv("RFT_KILLS");
  const int num_kills = asked ? std::stoi(asked) : 8;
  const fs::path unbroken = make_job("unbroken");
  const auto counts = run_counted(unbroken);
  for (const char* stage : {"warmup", "rollout", "score", "update", "validation", "files"})
    ASSERT_GT(counts.at(stage), 3) << stage;
  std::mt19937 random(7);
  int kills = 0;
  for (int job_number = 0; kills < num_kills; ++job_number) {
    const fs::path broken = make_job("broken-" + std::to_string(job_number));
    // The stages in turn, at any point of each; what is left of a resumed run may have fewer.
    for (bool ended = false; !ended;) {
      const auto stage = std::next(counts.begin(), (kills + job_number) % counts.size());
      const int64_t time = 1 + random() % stage->second;
      ended = !dies_at(broken, kills < num_kills ? stage->first : "none", time);
      kills += !ended;
    }
    for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "validation.jsonl", "summary.json"})
      ASSERT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file << " after " << kills;
  }
}

// Words of the first half of the alphabet score the same whatever is said of them; the others by length.
constexpr const char* kHalfEqualScorer = R"(
def score(episodes):
    return [0.5 if e["record"]["input"][0] < "n" else len(e["completion"]) / 100 for e in episodes]
)";

TEST_F(Train, RefillsGroupsOfEqualScoresAndStillResumesBitForBit) {
  const JobOptions options = {.scorer = kHalfEqualScorer,
                              .rollout = "dynamic_sampling = \"refill\"\nmax_sampling_rounds = 2",
                              .sections = "[ppo]\nadvantage_estimator = \"grpo\""};
  const fs::path unbroken = make_job("unbroken", options);
  const fs::path broken = make_job("broken", options);
  ASSERT_EQ(run(unbroken).finished["outcome"], "succeeded");
  for_each_json_line(unbroken / "metrics.jsonl", [&](Json&& line, size_t) {
    if (!line.contains("rollout/prompts")) return;
    const double prompts = line["rollout/prompts"], equal = line["objective/equal_score_groups"];
    EXPECT_GT(equal, 0);
    EXPECT_GT(prompts, 16) << "equal groups are replaced";
    EXPECT_LE(prompts, 32) << "in one further round";
    EXPECT_EQ(line["objective/episodes_left_out"], 4 * equal);
  });

  Subprocess worker = start(broken);
  while (daemon_.read_until("resume_point").value()["iteration"] < 1) {
  }
  worker.signal(SIGKILL);
  worker.wait(kPatience_ms);
  daemon_.close();
  ASSERT_EQ(run(broken).exit_code, 0);
  for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "summary.json"})
    EXPECT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file;
}

TEST_F(Train, AWatchWarnsAndPausesAndTheNextAttemptGoesOn) {
  const fs::path job =
      make_job("job", {.sections = "[watch]\naction = \"pause\"\nlength_growth = 0.5\nscore_gap = 0.0\n"
                                   "entropy_drop = 0.0\nkl_acceleration = 0.0\nidentical_share = 0.0\n"
                                   "constant_score = 0"});
  Subprocess worker = start(job);
  const Json warning = daemon_.read_until("warning").value();
  EXPECT_EQ(warning["name"], "length_growth");
  const Json finished = daemon_.read_until("finished").value();
  EXPECT_EQ(finished["outcome"], "paused");
  EXPECT_NE(finished["reason"].get<std::string>().find("paused by [watch] length_growth after iteration 1"),
            std::string::npos)
      << finished.dump();
  EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 0);
  daemon_.close();
  const End end = run(job);
  EXPECT_EQ(end.finished["outcome"], "succeeded") << "what was told once does not pause again";
  EXPECT_EQ(end.finished["result"]["warnings"][0]["name"], "length_growth");
}

const JobOptions kLora = {.lora =
                              "lora = { rank = 4, alpha = 16, targets = [\"q_proj\", \"v_proj\", "
                              "\"up_proj\"] }"};

TEST_F(Train, ALoraJobEndsWithAnAdapterAndTheModelItMakes) {
  const fs::path job = make_job("job", kLora);
  const End end = run(job);
  ASSERT_EQ(end.finished["outcome"], "succeeded") << end.finished.dump();
  EXPECT_EQ(end.finished["result"]["adapter"], "adapter");
  for (const char* file : {"model/config.json", "model/model.safetensors", "model/tokenizer.json",
                           "adapter/adapter_config.json", "adapter/adapter_model.safetensors"})
    EXPECT_TRUE(fs::exists(job / file)) << file;
  const auto adapter_bytes = fs::file_size(job / "adapter/adapter_model.safetensors");
  for (const auto& entry : fs::recursive_directory_iterator(job)) {
    const bool kept = entry.path().string().find("/checkpoints/") != std::string::npos ||
                      entry.path().string().find("/resume/") != std::string::npos;
    if (kept && entry.path().extension() == ".safetensors") {
      EXPECT_LT(entry.file_size(), 2 * adapter_bytes)
          << entry.path() << ": more than an adapter and a value head";
    }
  }

  // The base with the adapter says what the merged model says.
  const auto logits = [](const fs::path& model, const fs::path& adapter = {}) {
    std::istringstream in("{\"ids\":[5,6,7,8]}\n");
    std::ostringstream out;
    worker::inspect({.verb = "logits", .model_dir = model, .adapter_dir = adapter}, in, out);
    return parse_json(out.str(), "answer").at("logits")[0].get<std::vector<double>>();
  };
  const auto merged = logits(job / "model"), base = logits(*shared_ / "model");
  const auto adapted = logits(*shared_ / "model", job / "adapter");
  double gap = 0, change = 0;
  for (size_t i = 0; i < merged.size(); ++i) {
    gap = std::max(gap, std::abs(merged[i] - adapted[i]));
    change = std::max(change, std::abs(merged[i] - base[i]));
  }
  EXPECT_LT(gap, 1e-4 * change);
}

TEST_F(Train, ALoraJobThatWasKilledEndsBitForBitLikeAnUnbrokenOne) {
  JobOptions options = kLora;
  options.sections = "[ppo]\nadvantage_estimator = \"grpo\"";
  const fs::path unbroken = make_job("unbroken", options);
  const fs::path broken = make_job("broken", options);
  ASSERT_EQ(run(unbroken).exit_code, 0);
  run_killed(broken, {"resume_point", "validation", "checkpoint"});
  for (const char* file : {"adapter/adapter_model.safetensors", "model/model.safetensors", "rollouts.jsonl",
                           "validation.jsonl", "summary.json"})
    EXPECT_EQ(sha256_file(unbroken / file), sha256_file(broken / file)) << file;
}

TEST_F(Train, AStopWritesAResumePointAndTheNextAttemptGoesOn) {
  for (const int ranks : {1, 2}) {
    const fs::path job = make_job("job" + std::to_string(ranks), {.ranks = ranks});
    Subprocess worker = start(job);
    ASSERT_TRUE(daemon_.read_until("checkpoint"));
    daemon_.write({{"type", "stop"}});
    const Json finished = daemon_.read_until("finished").value();
    EXPECT_EQ(finished["outcome"], "stopped") << finished.dump();
    EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 0);
    daemon_.close();
    EXPECT_EQ(run(job).finished["outcome"], "succeeded");
  }
}

TEST_F(Train, WithoutItsDaemonItStopsByItself) {
  const fs::path job = make_job("job");
  Subprocess worker = start(job);
  ASSERT_TRUE(daemon_.read_until("checkpoint"));
  daemon_.close();
  EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 0);
  EXPECT_FALSE(fs::exists(job / "summary.json")) << "it stopped before its end";
  EXPECT_FALSE(fs::is_empty(job / "resume"));
}

TEST_F(Train, TwoAttemptsNeverRunAtOnce) {
  const fs::path job = make_job("job");
  Subprocess worker = start(job);
  Subprocess second({.argv = {kWorker, "train", job.string()}, .stderr_file = dir_ / "second"});
  EXPECT_EQ(second.wait(kPatience_ms)->exit_code, 75);
  EXPECT_NE(read_file(dir_ / "second").find("another attempt"), std::string::npos);
}

TEST_F(Train, AJobBeyondItsMemoryFailsBeforeItLoadsAnythingAndForGood) {
  const fs::path job = make_job("job");
  std::string plan = read_file(job / "plan.toml");
  plan.insert(plan.find("[resources]\n") + 12, "memory_gb = 0.1\n");
  write_file_atomically(job / "plan.toml", plan);
  const End end = run(job);
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_EQ(end.finished["error"]["code"], "resource");
  EXPECT_EQ(end.finished["error"]["transient"], false);
  const std::string message = end.finished["error"]["message"];
  EXPECT_NE(message.find("and may take 100 MB"), std::string::npos) << message;
  EXPECT_TRUE(fs::exists(job / "memory.json"));
}

TEST_F(Train, AnUnknownMetricNamesTheKnownOnes) {
  const End end = run(make_job("job", {.metric = "f1_macro"}));
  const std::string message = end.finished["error"]["message"];
  EXPECT_NE(message.find("f1_macro"), std::string::npos);
  EXPECT_NE(message.find("score_mean"), std::string::npos);
}

TEST_F(Train, PatienceEndsARunThatGainsNothing) {
  const fs::path job = make_job(
      "job", {.scorer = "def score(episodes):\n    return [0.5 for e in episodes]\n", .patience = "1"});
  const End end = run(job);
  EXPECT_EQ(end.finished["result"]["stopped_early"], true);
  EXPECT_EQ(end.finished["result"]["best_iteration"], 0);
  EXPECT_EQ(end.finished["result"]["iterations"], 2) << "one epoch of the two";
}

}  // namespace
}  // namespace rft
