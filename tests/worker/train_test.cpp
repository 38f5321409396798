// The real rft-worker on a small real job: a model made on the spot, two classes to tell apart.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>

#include <array>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/subprocess.h"
#include "plugins/isolation.h"
#include "support/processes.h"
#include "support/temp_dir.h"
#include "support/worker_listener.h"
#include "worker/inspect.h"

namespace rft {
namespace {

namespace fs = std::filesystem;

const std::string kWorker = std::string(RFT_BIN_DIR) + "/rft-worker";
const std::string kMortalWorker = std::string(RFT_BIN_DIR) + "/mortal_worker";
constexpr int kPatience_ms = 120'000;

// Words that begin with a vowel or do not. The warm-up's labels are mostly "letter", so there is something
// left to learn.
void write_split(const fs::path& file, size_t num_records, uint32_t seed, bool noisy) {
  std::mt19937 random(seed);
  std::ofstream out(file);
  for (size_t i = 0; i < num_records; ++i) {
    std::string word;
    for (int j = 0; j < 4; ++j) word += static_cast<char>('a' + random() % 26);
    const bool vowel = std::string("aeiou").find(word[0]) != std::string::npos;
    const bool says_vowel = noisy ? random() % 4 == 0 : vowel;
    const Json record = {{"input", word}, {"output", says_vowel ? "vowel" : "letter"}};
    out << Json{{"prompt", word + "\n"}, {"output", record["output"]}, {"record", record}}.dump() << "\n";
  }
}

constexpr const char* kPlan = R"(name = "vowels"
[model]
path = "tiny"
dtype = "float32"
LORA
[data]
train = "train.jsonl"
[scorer]
plugin = "scorer.py"
on_error = "ON_ERROR"
SCORER_KEYS
[warmup]
epochs = 2
batch_size = 64
learning_rate = 3e-3
[training]
epochs = EPOCHS
learning_rate = 1e-3
[rollout]
prompts_per_iteration = 16
samples_per_prompt = 4
max_new_tokens = 6
ROLLOUT
[validation]
metric = "METRIC"
patience = PATIENCE
on_plateau = "halve_learning_rate"
[checkpoint]
resume_every_s = 0.001
[resources]
ranks = RANKS
SECTIONS
[resolved]
job_id = 17
model_path = "MODEL"
scorers = { "" = { plugin = "scorer.py", options = {}, path = "SCORER", kind = "python", digest = "none", trusted = TRUSTED } }
)";

constexpr const char* kScorer = R"(
def score(episodes):
    return [1.0 if e["completion"] == e["record"]["output"] else 0.0 for e in episodes]
)";

struct JobOptions {
  std::string scorer = kScorer;
  std::string on_error = "fail";
  std::string metric = "score_mean";
  std::string patience = "0";
  int ranks = 1;
  int epochs = 2;
  std::string scorer_keys;  // further keys of [scorer]
  std::string rollout;      // further keys of [rollout]
  std::string sections;     // further sections
  std::string lora;         // of [model]
};

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

// Returns once nobody holds the attempt's lock: all that belonged to the attempt is gone.
void await_end_of_attempt(const fs::path& job) {
  const UniqueFd lock(::open((job / "attempt.lock").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
}

class Train : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TempDir;
    write_split(*shared_ / "warmup.jsonl", 256, 1, /*noisy=*/true);
    Subprocess make({.argv = {kWorker, "new-model", "--from", (*shared_ / "warmup.jsonl").string(), "--out",
                              (*shared_ / "model").string(), "--vocabulary", "300", "--layers", "2",
                              "--hidden", "32", "--heads", "2"}});
    ASSERT_EQ(make.wait(kPatience_ms)->exit_code, 0);
  }
  static void TearDownTestSuite() { delete shared_; }

  fs::path make_job(const std::string& name, const JobOptions& options = {}) {
    const fs::path job = dir_ / name;
    fs::create_directories(job / "data");
    fs::copy(*shared_ / "warmup.jsonl", job / "data/warmup.jsonl");
    write_split(job / "data/train.jsonl", 32, 2, /*noisy=*/false);
    write_split(job / "data/validation.jsonl", 40, 3, /*noisy=*/false);
    write_split(job / "data/test.jsonl", 40, 4, /*noisy=*/false);
    write_file_atomically(job / "scorer.py", options.scorer);
    std::string plan = kPlan;
    const auto set = [&](const std::string& key, const std::string& value) {
      plan.replace(plan.find(key), key.size(), value);
    };
    set("ON_ERROR", options.on_error);
    set("METRIC", options.metric);
    set("TRUSTED", plugins::available_isolation().namespaces ? "false" : "true");
    set("PATIENCE", options.patience);
    set("SCORER_KEYS", options.scorer_keys);
    set("ROLLOUT", options.rollout);
    set("SECTIONS", options.sections);
    set("LORA", options.lora);
    set("MODEL", (*shared_ / "model").string());
    set("SCORER", (job / "scorer.py").string());
    set("RANKS", std::to_string(options.ranks));
    set("EPOCHS", std::to_string(options.epochs));
    write_file_atomically(job / "plan.toml", plan);
    return job;
  }

  // Starts a worker that is tied to `daemon_`, and welcomes it, with a command right behind.
  Subprocess start(const fs::path& job, const Json& command = nullptr) {
    Subprocess worker(
        {.argv = {kWorker, "train", job.string(), "--socket", socket_.string(), "--threads", "1"},
         .stderr_file = dir_ / "stderr"});
    EXPECT_EQ(daemon_.accept()["job"], 17);
    std::vector<Json> messages = {{{"type", "welcome"}}};
    if (!command.is_null()) messages.push_back(command);
    daemon_.write_together(messages);
    return worker;
  }

  struct End {
    int exit_code = -1;
    Json finished;
  };
  End run(const fs::path& job) {
    Subprocess worker = start(job);
    End end;
    end.finished = daemon_.read_until("finished").value_or(Json::object());
    end.exit_code = worker.wait(kPatience_ms)->exit_code.value_or(-1);
    daemon_.close();
    return end;
  }

  // Runs the job to its end, killing the worker after the first message of each kind, in turn, whatever it is
  // then doing.
  void run_killed(const fs::path& job, const std::vector<std::string>& moments) {
    for (const std::string& moment : moments) {
      Subprocess worker = start(job);
      ASSERT_TRUE(daemon_.read_until(moment)) << moment;
      if (moment == "metrics") daemon_.read_until(moment);
      worker.signal(SIGKILL);
      EXPECT_EQ(worker.wait(kPatience_ms)->signal, SIGKILL);
      daemon_.close();
    }
    ASSERT_EQ(run(job).exit_code, 0);
  }

  // How often an unbroken run came to each stage (support/mortal_worker.cpp).
  std::map<std::string, int64_t> run_counted(const fs::path& job) {
    Subprocess worker({.argv = {kMortalWorker, job.string(), "none", "0"}, .stderr_file = dir_ / "stderr"});
    EXPECT_EQ(worker.wait(kPatience_ms)->exit_code, 0);
    return parse_json(read_file(job / "counts.json"), "counts").get<std::map<std::string, int64_t>>();
  }
  // Whether it died at that point; else it has ended.
  bool dies_at(const fs::path& job, const std::string& stage, int64_t time) {
    Subprocess worker(
        {.argv = {kMortalWorker, job.string(), stage, std::to_string(time)}, .stderr_file = dir_ / "stderr"});
    const auto end = worker.wait(kPatience_ms);
    EXPECT_TRUE(end->signal == SIGKILL || end->exit_code == 0) << end->text();
    return end->signal == SIGKILL;
  }

  static TempDir* shared_;
  TempDir dir_;
  fs::path socket_ = dir_ / "worker.sock";
  WorkerListener daemon_{socket_};
};
TempDir* Train::shared_ = nullptr;

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
