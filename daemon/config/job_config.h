// A job as its owner configured it: plain values with their defaults. job_config.cpp binds each key to its
// member, its range and its meaning in one table, from which docs/job.md is made, so neither can drift.
//
// The same structure is a job.toml as dropped (parse_job) and a plan.toml as admitted, in which every value
// is resolved (paths absolute, "auto" decided): the worker reads only the latter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "config/key_lines.h"

namespace rft::config {

// Low-rank adaptation: small matrices beside the model's, which alone are trained.
struct LoraConfig {
  int64_t rank = 0;  // 0: none, every weight is trained
  double alpha = 0;  // 0: twice the rank
  bool rslora = false;
  std::vector<std::string> targets;  // module names; empty: "all-linear"
};

struct ModelConfig {
  std::string path;            // under HOME/models, absolute, or in the job folder
  std::string dtype = "auto";  // auto | float32 | bfloat16: of the computation; weights are kept in float32
  std::string adapter;         // a PEFT adapter to go on from, placed as `path` is; empty: none
  LoraConfig lora;
};

struct DataConfig {
  std::string train;
  std::string validation;         // a file, or empty: validation_split is cut from train
  double validation_split = 0;    // (0, 1), by a permutation from the seed; 0 with no file: 0.1
  std::string test;               // optional
  std::string adapter = "jsonl";  // a registered adapter, or a file of the folder
  Json options = Json::object();  // handed to the adapter
  std::string python;             // interpreter asked for; permitted by rftd.toml. Empty: its first
  std::string prompt;             // template over the record's keys; empty: the adapter's own
  std::string system;             // system message for models with a chat template
  int64_t shots = 0;              // examples before each prompt
};

struct ScorerConfig {
  std::string plugin;
  std::string grader;  // a file of the folder, from which admission makes plugin and options
  Json options = Json::object();
  int64_t hosts = 1;                 // processes that score batches at the same time
  int64_t batch_size = 16;           // episodes in one call, at most, but for one prompt's
  double timeout_s = 10;             // for one batch
  std::string on_error = "fail";     // fail | skip
  bool network = false;              // asked for; granted by rftd.toml
  std::string python;                // interpreter asked for; permitted by rftd.toml. Empty: its first
  std::vector<std::string> secrets;  // names, asked for like the network
};

struct WarmupConfig {
  std::string data;    // default: data.train
  int64_t epochs = 0;  // 0: no warm-up
  int64_t batch_size = 32;
  double learning_rate = 1e-3;
  double prompt_loss = 0;  // weight of the prompt's own tokens in the loss, beside 1 for the output's
};

struct TrainingConfig {
  int64_t epochs = 4;
  double learning_rate = 5e-5;
  std::string schedule = "constant";   // constant | linear | cosine
  double min_learning_rate_ratio = 0;  // where linear and cosine end, as a share of learning_rate
  int64_t warmup_iterations = 0;       // learning rate rises linearly over these
  double weight_decay = 0;
  double max_grad_norm = 1.0;
  bool gradient_checkpointing = false;  // layers keep their input alone for the backward pass
  int64_t seed = 0;
};

struct PpoConfig {
  std::string advantage_estimator =
      "gae";  // gae | grpo | dr_grpo | rloo | reinforce++ | reinforce++_baseline
  int64_t num_ppo_epochs = 4;
  int64_t minibatches = 4;
  double clip_range = 0.2;
  double clip_range_high = 0;        // 0: the same as clip_range
  double dual_clip = 0;              // 0: off; 3 as published
  std::string value_model = "head";  // head | separate
  double value_clip_range = 0.2;
  double value_coef = 0.1;
  double entropy_coef = 0;
  double gamma = 1.0;
  double gae_lambda = 0.95;
  double kl_coef = 0.05;
  std::string kl_estimator = "k1";          // k1 | k2 | k3
  std::string kl_placement = "auto";        // auto | reward | loss
  double adaptive_kl_target = 0;            // per token, in nats; 0: kl_coef stays
  double adaptive_kl_horizon = 10'000;      // in episodes
  double target_kl = 0;                     // early stop of an update; 0: off
  std::string missing_eos = "score";        // score | penalty | mask | bootstrap
  double eos_penalty = 1.0;                 // taken from the score of a cut episode under "penalty"
  std::string loss_normalisation = "auto";  // auto | token | sequence | constant
  double importance_cap = 0;                // 0: off; 2 as usual
};

struct RolloutConfig {
  int64_t prompts_per_iteration = 32;
  int64_t samples_per_prompt = 4;
  int64_t max_new_tokens = 128;
  double temperature = 1.0;
  std::vector<std::string> stop;
  std::string dynamic_sampling = "off";  // off | drop | refill
  int64_t max_sampling_rounds = 4;       // of an iteration, under "refill"
};

struct ValidationConfig {
  std::string every = "epoch";  // epoch
  std::string metric = "score_mean";
  int64_t patience = 0;             // epochs without gain before stopping; 0: never
  std::string on_plateau = "none";  // none | halve_learning_rate
  double temperature = 0;           // 0: greedy
  int64_t top_k = 0;                // 0: off; only with temperature > 0
  double top_p = 1.0;
};

// What may go wrong while the score rises. Each threshold: 0 for none.
struct WatchConfig {
  std::string action = "warn";    // warn | pause
  double score_gap = 0.1;         // of the training score above the validation's
  double length_growth = 3;       // of the completions, as a multiple of the first iteration's
  double entropy_drop = 0.05;     // to this share of the first iteration's
  double kl_acceleration = 3;     // of the KL's rise, as a multiple of the rise before
  double identical_share = 0.95;  // of an iteration's completions
  double rollout_gap = 0.01;      // of the probabilities by sampler and trainer
  int64_t constant_score = 2;     // iterations, from the first on, whose episodes all score the same
};

struct CheckpointConfig {
  int64_t keep = 3;
  double resume_every_s = 300;
};

struct ResourcesConfig {
  int64_t gpus = 0;
  int64_t cores = 0;     // 0: all of the machine's
  int64_t ranks = 1;     // processes that share the job and its cores
  double memory_gb = 0;  // 0: what is estimated
};

struct RetryConfig {
  int64_t max_attempts = 5;
};

// A scorer as admission pinned it. A job has one, whose name is empty, or the named ones of a "multi".
struct PinnedScorer {
  std::string name;
  std::string plugin;  // as [scorer] plugin
  Json options;
  std::filesystem::path path;             // absolute, of the pinned copy
  std::string kind;                       // shared_object | python | command
  std::string digest;                     // sha256 of the pinned bytes
  bool trusted = false;                   // runs without isolation, as rftd.toml permits
  std::string python;                     // interpreter of a script; empty: python3 of PATH
  bool network = false;                   // as rftd.toml grants it
  std::vector<std::string> secrets = {};  // names, granted likewise
  int64_t memory_bytes = 0;               // that one host of it held once it was loaded
};

// What admission decided; only in a plan.toml.
struct ResolvedConfig {
  int64_t job_id = 0;
  std::filesystem::path model_path;  // absolute
  Json scorers = Json::object();     // each PinnedScorer by its name
  std::string adapter_path;          // absolute; empty: none
  std::string secrets_file;          // absolute; of those that scorers have
};

struct JobConfig {
  std::string name;  // default: the folder's name
  ModelConfig model;
  DataConfig data;
  ScorerConfig scorer;
  WarmupConfig warmup;
  TrainingConfig training;
  PpoConfig ppo;
  RolloutConfig rollout;
  ValidationConfig validation;
  WatchConfig watch;
  CheckpointConfig checkpoint;
  ResourcesConfig resources;
  RetryConfig retry;
  ResolvedConfig resolved;
  KeyLines lines;  // of the file that it was read from
};

// Reads a job.toml. Throws Error(invalid_argument) "FILE:LINE: what is wrong; the mend" for TOML that does
// not parse, an unknown key (with the nearest known one), a wrong type, a value out of range, a missing
// required key, and keys that exclude each other.
JobConfig parse_job(const std::filesystem::path& file);
// Reads a plan.toml, [resolved] required. Throws like parse_job.
JobConfig parse_plan(const std::filesystem::path& file);
// The whole configuration as TOML, every value written out; with [resolved] it is a plan.toml, which
// parse_plan reads back to the same values.
std::string to_toml(const JobConfig& job);
// Of a plan, in the order of its [resolved] scorers. Throws Error(invalid_argument) for what is none.
std::vector<PinnedScorer> pinned_scorers(const JobConfig& plan);
void set_pinned_scorers(JobConfig& plan, const std::vector<PinnedScorer>& scorers);
// What of [scorer] can change with a job's scorer (timeout_s, on_error, network, python, secrets), as a
// job.toml has it, every value written out.
std::string scorer_settings(const JobConfig& job);
// Sets those of them that such a text gives; `lines` are then its own. Throws like parse_job, for any other
// key too.
void set_scorer_settings(JobConfig& job, const std::string& settings);
// Puts another scorer in the place of a plan's: its plugin and options, its pins as in [resolved] scorers,
// and what scorer_settings said of it.
void set_scorer(JobConfig& plan, const std::string& plugin, const Json& options, const Json& pins,
                const std::string& settings);
// The tables of docs/job.md.
std::string job_reference();

}  // namespace rft::config
