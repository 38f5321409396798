#include "config/job_config.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "config/job_checks.h"
#include "config/key_table.h"

namespace rft::config {
namespace {

// The one table of a job's keys: what reads job.toml, writes plan.toml and makes docs/job.md.
std::vector<Key> job_keys(JobConfig& job) {
  auto& [name, model, data, scorer, warmup, training, ppo, rollout, validation, watch, checkpoint, resources,
         retry, resolved, lines] = job;
  LoraConfig& lora = model.lora;
  return {
      {"", "name", &name, {}, "what the job is called; empty: the folder's name"},

      {"model",
       "path",
       &model.path,
       {},
       "a Hugging Face model directory: a name under HOME/models, an absolute path, or a path in the job "
       "folder",
       true},
      {"model", "dtype", &model.dtype, one_of({"auto", "float32", "bfloat16"}),
       "precision of the computation; `auto` takes bfloat16 where the device is fast at it. Weights are kept "
       "in float32"},
      {"model",
       "adapter",
       &model.adapter,
       {},
       "a PEFT LoRA adapter of this model to go on from, in a folder named as `path` is; rank, alpha and "
       "targets are its own; empty: none"},

      {"model.lora", "rank", &lora.rank, between(0, 65536),
       "rank of the LoRA adapter that is trained instead of the weights; 0: none, every weight is trained"},
      {"model.lora", "alpha", &lora.alpha, at_least(0),
       "the adapter's product is multiplied by alpha / rank; 0: alpha is twice the rank"},
      {"model.lora", "rslora", &lora.rslora, {}, "multiply by alpha / √rank instead (rank-stabilised LoRA)"},
      {"model.lora",
       "targets",
       &lora.targets,
       {},
       "modules that get an adapter, by the end of their names, such as `[\"q_proj\", \"v_proj\"]`; "
       "`\"all-linear\"`, the default, is every linear of the layers"},

      {"data",
       "train",
       &data.train,
       {},
       "file of the training prompts, in the job folder: JSONL, or what the adapter reads",
       true},
      {"data",
       "validation",
       &data.validation,
       {},
       "file of the validation prompts; empty: `validation_split` is cut from `train`"},
      {"data",
       "validation_split",
       &data.validation_split,
       {.min = 0, .max = 1, .max_excluded = true},
       "share of `train` that becomes the validation split, chosen by a permutation from the seed; 0 without "
       "`validation`: 0.1"},
      {"data",
       "test",
       &data.test,
       {},
       "file scored for the base model, after the warm-up, and with the exported model read back from "
       "disk; empty: none"},
      {"data",
       "adapter",
       &data.adapter,
       {},
       "what turns a record into a prompt: `jsonl`, `chat`, `csv`, `tsv`, `multi`, another registered "
       "adapter, or a file of the job folder"},
      {"data", "options", &data.options, {}, "handed to the adapter, beside `prompt`"},
      {"data",
       "python",
       &data.python,
       {},
       "interpreter of an adapter in Python: one of those that `[plugins] python` in `rftd.toml` allows; "
       "empty: "
       "the first of them"},
      {"data",
       "prompt",
       &data.prompt,
       {},
       "template of the prompt over the record's keys, such as `{task}\\n{input}\\n`; empty: the adapter's "
       "own"},
      {"data", "system", &data.system, {}, "system message, for models with a chat template; empty: none"},
      {"data", "shots", &data.shots, between(0, 100),
       "examples that stand before each prompt: records of `train` with their `output`, chosen by the seed, "
       "the same for every split, never the prompt itself. Turns of user and assistant with a chat template, "
       "else text, an empty line after each"},

      {"scorer",
       "plugin",
       &scorer.plugin,
       {},
       "what scores a completion: a registered scorer's name, a file of the job folder (`scorer.so`, "
       "`scorer.py`, an executable), or `multi`: several of them and a formula"},
      {"scorer",
       "grader",
       &scorer.grader,
       {},
       "instead of `plugin`: a JSON file of the job folder with a grader of OpenAI's fine-tuning API"},
      {"scorer",
       "options",
       &scorer.options,
       {},
       "handed to the scorer as it is; with a `grader`, to each `judge` that it becomes"},
      {"scorer", "hosts", &scorer.hosts, between(1, 64),
       "processes of the scorer that work at the same time, each on a batch of its own, while the rest of "
       "the rollout is generated"},
      {"scorer", "batch_size", &scorer.batch_size, between(1, 128),
       "episodes that the scorer gets in one call, at most; all completions of a prompt stay together, up to "
       "128"},
      {"scorer", "timeout_s", &scorer.timeout_s, above(0), "seconds that the scorer may take for one batch"},
      {"scorer", "on_error", &scorer.on_error, one_of({"fail", "skip"}),
       "what a failed score does in training: fail the job, or drop the episode. In validation it always "
       "fails"},
      {"scorer",
       "network",
       &scorer.network,
       {},
       "ask for the network, which `[plugins] network` in `rftd.toml` grants; a job that asks in vain is "
       "rejected"},
      {"scorer",
       "python",
       &scorer.python,
       {},
       "interpreter of scorers in Python: one of those that `[plugins] python` in `rftd.toml` allows; empty: "
       "the first of them"},
      {"scorer",
       "secrets",
       &scorer.secrets,
       {},
       "ask for these secrets of the daemon's `secrets.json`, which `[plugins] secrets` in `rftd.toml` "
       "grants; "
       "a job that asks in vain is rejected"},

      {"warmup",
       "data",
       &warmup.data,
       {},
       "file whose `output`s the supervised warm-up learns; empty: `train` of [data]"},
      {"warmup", "epochs", &warmup.epochs, at_least(0),
       "passes over the warm-up data before the reinforcement; 0: no warm-up"},
      {"warmup", "batch_size", &warmup.batch_size, at_least(1), "records in one supervised step"},
      {"warmup", "learning_rate", &warmup.learning_rate, above(0), "learning rate of the warm-up"},
      {"warmup", "prompt_loss", &warmup.prompt_loss, between(0, 1),
       "weight of the prompt's own tokens in the loss, beside 1 for the output's"},

      {"training", "epochs", &training.epochs, at_least(1), "passes over the training prompts"},
      {"training", "learning_rate", &training.learning_rate, above(0), "learning rate at its highest"},
      {"training", "schedule", &training.schedule, one_of({"constant", "linear", "cosine"}),
       "how the learning rate falls over the job"},
      {"training", "min_learning_rate_ratio", &training.min_learning_rate_ratio, between(0, 1),
       "where `linear` and `cosine` end, as a share of `learning_rate`"},
      {"training", "warmup_iterations", &training.warmup_iterations, at_least(0),
       "iterations over which the learning rate rises linearly at the start"},
      {"training", "weight_decay", &training.weight_decay, at_least(0), "weight decay of AdamW"},
      {"training", "max_grad_norm", &training.max_grad_norm, at_least(0),
       "the gradient is scaled down to this norm; 0: as it is"},
      {"training",
       "gradient_checkpointing",
       &training.gradient_checkpointing,
       {},
       "layers keep only their input and are computed again in the backward pass: much less memory, a third "
       "more computation, the same numbers"},
      {"training", "seed", &training.seed, at_least(0),
       "seed of every random choice; the same seed on the same machine gives the same model"},

      {"ppo", "advantage_estimator", &ppo.advantage_estimator,
       one_of({"gae", "grpo", "dr_grpo", "rloo", "reinforce++", "reinforce++_baseline"}),
       "how scores become advantages; only `gae` trains a critic"},
      {"ppo", "num_ppo_epochs", &ppo.num_ppo_epochs, at_least(1), "passes over each iteration's episodes"},
      {"ppo", "minibatches", &ppo.minibatches, at_least(1), "optimiser steps in each of these passes"},
      {"ppo", "clip_range", &ppo.clip_range, inside(0, 1),
       "how far the ratio may fall below 1, and rise above it, before it is clipped"},
      {"ppo", "clip_range_high", &ppo.clip_range_high, at_least(0),
       "how far the ratio may rise above 1; 0: the same as `clip_range`"},
      {"ppo", "dual_clip", &ppo.dual_clip, at_least(0),
       "bound of the objective for negative advantages, above 1 (3 as published); 0: off"},
      {"ppo", "value_model", &ppo.value_model, one_of({"head", "separate"}),
       "the critic: a head on the policy's own trunk, or a second model that begins with the policy's "
       "weights, at twice the memory"},
      {"ppo", "value_clip_range", &ppo.value_clip_range, at_least(0),
       "how far a value may move from its old one before its loss is clipped; 0: any way"},
      {"ppo", "value_coef", &ppo.value_coef, at_least(0),
       "weight of the value loss; small while the critic shares the policy's trunk, 0.5 suits `separate`"},
      {"ppo", "entropy_coef", &ppo.entropy_coef, at_least(0), "weight of the entropy bonus"},
      {"ppo", "gamma", &ppo.gamma, between(0, 1), "discount per token"},
      {"ppo", "gae_lambda", &ppo.gae_lambda, between(0, 1), "λ of generalised advantage estimation"},
      {"ppo", "kl_coef", &ppo.kl_coef, at_least(0), "weight of the KL penalty to the reference"},
      {"ppo", "kl_estimator", &ppo.kl_estimator, one_of({"k1", "k2", "k3"}),
       "estimator of that KL, with d = log π − log π_ref: d, d²/2, or e^−d − 1 + d. The expectation of k1 in "
       "the reward has the reverse KL's gradient. As a loss, k2 has it on-policy, k3 is what GRPO published, "
       "and k1 takes k2's gradient"},
      {"ppo", "kl_placement", &ppo.kl_placement, one_of({"auto", "reward", "loss"}),
       "where that penalty goes: into the reward of every token, or beside the policy's loss; `auto`: a loss "
       "for `grpo`, `dr_grpo` and `reinforce++_baseline`, in the reward for the others"},
      {"ppo", "adaptive_kl_target", &ppo.adaptive_kl_target, at_least(0),
       "after each iteration `kl_coef` is multiplied by 1 + clip(KL/this − 1, ±0.2) · episodes/"
       "`adaptive_kl_horizon`, the KL being objective/kl_to_reference: the mean per token, in nats; 0: it "
       "stays"},
      {"ppo", "adaptive_kl_horizon", &ppo.adaptive_kl_horizon, at_least(1),
       "episodes over which `kl_coef` moves by its error, at most a fifth"},
      {"ppo", "target_kl", &ppo.target_kl, at_least(0),
       "an update ends early when approx_kl exceeds this; 0: never"},
      {"ppo", "missing_eos", &ppo.missing_eos, one_of({"score", "penalty", "mask", "bootstrap"}),
       "what a completion cut by `max_new_tokens` gets: its score, its score less `eos_penalty`, no part in "
       "the loss, or its value instead of a score"},
      {"ppo", "eos_penalty", &ppo.eos_penalty, at_least(0),
       "taken from the score of a cut completion under `missing_eos = \"penalty\"`"},
      {"ppo", "loss_normalisation", &ppo.loss_normalisation,
       one_of({"auto", "token", "sequence", "constant"}),
       "what the loss is averaged over: all tokens of the minibatch, each completion's and then the "
       "completions, or `max_new_tokens` for each completion; `auto`: `sequence` for `grpo`, `constant` for "
       "`dr_grpo`, `token` for the others"},
      {"ppo", "importance_cap", &ppo.importance_cap, at_least(0),
       "truncated importance sampling: a token's policy loss is multiplied by exp(log π_trainer − log "
       "π_sampler), at most by this (≥ 1; 2 as usual), where sampler and trainer round differently; 0: off"},

      {"rollout", "prompts_per_iteration", &rollout.prompts_per_iteration, between(1, 1'000'000),
       "prompts in one iteration"},
      {"rollout", "samples_per_prompt", &rollout.samples_per_prompt, between(1, 10'000),
       "completions sampled for each of them"},
      {"rollout", "max_new_tokens", &rollout.max_new_tokens, between(1, 1'000'000),
       "tokens after which a completion is cut"},
      {"rollout", "temperature", &rollout.temperature, above(0),
       "the logits are divided by this, in sampling and in every log-probability"},
      {"rollout", "stop", &rollout.stop, {}, "strings that end a completion"},
      {"rollout", "dynamic_sampling", &rollout.dynamic_sampling, one_of({"off", "drop", "refill"}),
       "what becomes of a prompt whose completions all score the same, which teaches a group estimator "
       "nothing: it is kept, left out of the update, or left out and replaced by sampling further prompts. "
       "An iteration of nothing else is kept"},
      {"rollout", "max_sampling_rounds", &rollout.max_sampling_rounds, between(1, 1'000),
       "rounds of sampling in one iteration at most, the first included, under `dynamic_sampling = "
       "\"refill\"`"},

      {"validation", "every", &validation.every, one_of({"epoch"}),
       "when the whole split is scored, besides before training"},
      {"validation",
       "metric",
       &validation.metric,
       {},
       "what decides which model is best: `score_mean`, or a number that the scorer computes over the whole "
       "split, such as `f1_macro`"},
      {"validation", "patience", &validation.patience, at_least(0),
       "epochs without gain after which the job stops early; 0: never"},
      {"validation", "on_plateau", &validation.on_plateau, one_of({"none", "halve_learning_rate"}),
       "what an epoch without gain does"},
      {"validation", "temperature", &validation.temperature, at_least(0), "0: greedy"},
      {"validation", "top_k", &validation.top_k, at_least(0),
       "sample among the k likeliest tokens; 0: among all. Only with a temperature"},
      {"validation", "top_p", &validation.top_p, above_up_to(0, 1),
       "sample among the likeliest tokens that hold this much probability. Only with a temperature"},

      {"watch", "action", &watch.action, one_of({"warn", "pause"}),
       "what a watch does: a warning in `rftctl watch` and `why` alone, or a pause too, with a resume point "
       "and the reason"},
      {"watch", "score_gap", &watch.score_gap, at_least(0),
       "tells when the mean score of an epoch's rollouts is more than this above the validation's; 0: never"},
      {"watch", "length_growth", &watch.length_growth, at_least(0),
       "tells when completions are this many times as long as in the first iteration; 0: never"},
      {"watch", "entropy_drop", &watch.entropy_drop, between(0, 1),
       "tells when the entropy is less than this share of the first iteration's; 0: never"},
      {"watch", "kl_acceleration", &watch.kl_acceleration, at_least(0),
       "tells when the KL to the reference rises over 4 iterations this many times as much as over any 4 "
       "before them, and by this many times 0.01 nats per token at least; 0: never"},
      {"watch", "identical_share", &watch.identical_share, between(0, 1),
       "tells when more than this share of an iteration's completions are the same text; 0: never"},
      {"watch", "rollout_gap", &watch.rollout_gap, at_least(0),
       "tells when the probabilities that sampler and trainer give to the sampled tokens differ by more than "
       "this on average (below 0.005 is healthy); 0: never"},
      {"watch", "constant_score", &watch.constant_score, at_least(0),
       "tells when in each of so many iterations, from the first on, all episodes have the same score; 0: "
       "never"},

      {"checkpoint", "keep", &checkpoint.keep, at_least(1), "checkpoints kept, the best by validation"},
      {"checkpoint", "resume_every_s", &checkpoint.resume_every_s, above(0),
       "seconds between resume points, besides those at each validation, pause and stop"},

      {"resources", "gpus", &resources.gpus, between(0, 1), "GPUs that the job needs"},
      {"resources", "cores", &resources.cores, at_least(0),
       "CPU cores that the job takes; 0: all of the machine's, or with a GPU its share of them"},
      {"resources", "ranks", &resources.ranks, between(1, 256),
       "processes that train the job together, each with the whole model, on its share of the cores and of "
       "the rows; on the CPU"},
      {"resources", "memory_gb", &resources.memory_gb, at_least(0),
       "memory that the job may take, in GB: it is refused when its estimate is larger, and fails rather "
       "than take more; 0: as much as is estimated, and no limit but the machine's"},

      {"retry", "max_attempts", &retry.max_attempts, at_least(1),
       "failed attempts after which the job is given up"},

      {"resolved", "job_id", &resolved.job_id, at_least(1), "the job's id", true},
      {"resolved", "model_path", &resolved.model_path, {}, "absolute path of the model", true},
      {"resolved",
       "scorers",
       &resolved.scorers,
       {},
       "each scorer by its name: plugin, options, path of the pinned copy, kind, SHA-256, trusted, python, "
       "network, names of its secrets",
       true},
      {"resolved", "adapter_path", &resolved.adapter_path, {}, "absolute path of the adapter; empty: none"},
      {"resolved",
       "secrets_file",
       &resolved.secrets_file,
       {},
       "absolute path of the file with the secrets that scorers are granted"},
  };
}

// The keys that a job.toml may hold: all but what admission decides.
std::vector<Key> owner_keys(JobConfig& job) {
  auto keys = job_keys(job);
  std::erase_if(keys, [](const Key& key) { return key.section == "resolved"; });
  return keys;
}

constexpr std::array<std::string_view, 5> kScorerSettings = {"timeout_s", "on_error", "network", "python",
                                                             "secrets"};

std::vector<Key> scorer_setting_keys(JobConfig& job) {
  auto keys = job_keys(job);
  std::erase_if(keys, [](const Key& key) {
    return key.section != "scorer" || std::ranges::count(kScorerSettings, key.name) == 0;
  });
  return keys;
}

constexpr std::string_view kUnfiltered =
    "training samples from the full distribution: a filtered policy has no KL of 0 to its reference, and an "
    "update can push a sampled token out of the filter. Use temperature; filters are allowed in [validation]";

constexpr std::string_view kNoDropout =
    "training runs without dropout: the log-probs before an update and during it must be those of one and "
    "the same network, or the ratio of the two means nothing. Leave the key out";

const std::vector<RefusedKey>& refused_job_keys() {
  static const std::vector<RefusedKey> keys = {
      {"rollout", "top_k", kUnfiltered},
      {"rollout", "top_p", kUnfiltered},
      {"rollout", "min_p", kUnfiltered},
      {"model.lora", "dropout", kNoDropout},
      {"model.lora", "lora_dropout", kNoDropout},
      {"", "resolved", "it is what admission decides; leave the section out"},
  };
  return keys;
}

}  // namespace

JobConfig parse_job(const std::filesystem::path& file) {
  JobConfig job;
  job.lines = read_toml(file, owner_keys(job), refused_job_keys());
  check_job(job);
  check_owners_scorer(job);
  if (job.data.validation.empty() && job.data.validation_split == 0) job.data.validation_split = 0.1;
  LoraConfig& lora = job.model.lora;
  if (lora.rank > 0 && lora.alpha == 0) lora.alpha = 2 * static_cast<double>(lora.rank);
  if (lora.rank > 0 && lora.targets.empty()) lora.targets = {"all-linear"};
  return job;
}

JobConfig parse_plan(const std::filesystem::path& file) {
  JobConfig job;
  job.lines = read_toml(file, job_keys(job), {});
  check_job(job);
  return job;
}

std::string to_toml(const JobConfig& job) {
  JobConfig copy = job;
  return write_toml(job.resolved.job_id == 0 ? owner_keys(copy) : job_keys(copy));
}

std::vector<PinnedScorer> pinned_scorers(const JobConfig& plan) {
  std::vector<PinnedScorer> scorers;
  try {
    for (const auto& [name, scorer] : plan.resolved.scorers.items())
      scorers.push_back(
          {name, scorer.at("plugin"), scorer.at("options"), scorer.at("path").get<std::string>(),
           scorer.at("kind"), scorer.at("digest"), scorer.at("trusted"), scorer.value("python", ""),
           // What an earlier version did not write down for each.
           scorer.value("network", plan.scorer.network), scorer.value("secrets", std::vector<std::string>()),
           scorer.value("memory_bytes", int64_t{0})});
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument,
                plan.lines.where("resolved", "scorers") + "[resolved] scorers: " + reason_of(error));
  }
  return scorers;
}

void set_pinned_scorers(JobConfig& plan, const std::vector<PinnedScorer>& scorers) {
  plan.resolved.scorers = Json::object();
  for (const PinnedScorer& scorer : scorers)
    plan.resolved.scorers[scorer.name] = {
        {"digest", scorer.digest},   {"kind", scorer.kind},       {"memory_bytes", scorer.memory_bytes},
        {"network", scorer.network}, {"options", scorer.options}, {"path", scorer.path.string()},
        {"plugin", scorer.plugin},   {"python", scorer.python},   {"secrets", scorer.secrets},
        {"trusted", scorer.trusted}};
}

std::string scorer_settings(const JobConfig& job) {
  JobConfig copy = job;
  return write_toml(scorer_setting_keys(copy)).substr(1);  // without the line that parts it from others
}

void set_scorer_settings(JobConfig& job, const std::string& settings) {
  job.lines = read_toml_text(settings, scorer_setting_keys(job), {});
}

void set_scorer(JobConfig& plan, const std::string& plugin, const Json& options, const Json& pins,
                const std::string& settings) {
  plan.scorer.plugin = plugin;
  plan.scorer.options = options;
  plan.resolved.scorers = pins;
  set_scorer_settings(plan, settings);
}

std::string job_reference() {
  JobConfig defaults;
  return markdown_tables(owner_keys(defaults));
}

}  // namespace rft::config
