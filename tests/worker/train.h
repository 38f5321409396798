// The real rft-worker on a small real job: a model made on the spot, two classes to tell apart.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>

#include <fstream>
#include <map>
#include <random>

#include "base/files.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "plugins/isolation.h"
#include "support/temp_dir.h"
#include "support/worker_listener.h"

namespace rft {

namespace fs = std::filesystem;

inline const std::string kWorker = std::string(RFT_BIN_DIR) + "/rft-worker";
inline const std::string kMortalWorker = std::string(RFT_BIN_DIR) + "/mortal_worker";
inline constexpr int kPatience_ms = 120'000;

// Words that begin with a vowel or do not. The warm-up's labels are mostly "letter", so there is something
// left to learn.
inline void write_split(const fs::path& file, size_t num_records, uint32_t seed, bool noisy) {
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

inline constexpr const char* kPlan = R"(name = "vowels"
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

inline constexpr const char* kScorer = R"(
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

// Returns once nobody holds the attempt's lock: all that belonged to the attempt is gone.
inline void await_end_of_attempt(const fs::path& job) {
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

  static inline TempDir* shared_ = nullptr;
  TempDir dir_;
  fs::path socket_ = dir_ / "worker.sock";
  WorkerListener daemon_{socket_};
};

}  // namespace rft
