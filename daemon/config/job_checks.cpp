#include "config/job_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace rft::config {
namespace {

// What is wrong with the key, and the mend.
[[noreturn]] void fail(const JobConfig& job, std::string_view section, std::string_view name,
                       const std::string& message) {
  throw Error(ErrorCode::invalid_argument,
              fmt::format("{}[{}] {} {}", job.lines.where(section, name), section, name, message),
              std::string(name));
}

void check_lora(const JobConfig& job) {
  const LoraConfig& lora = job.model.lora;
  if (job.lines.given("model.lora", "") && !job.lines.given("model.lora", "rank"))
    fail(job, "model.lora", "rank", "is missing; give one, such as rank = 16, or leave the table out");
  if (lora.rank == 0 && (lora.alpha != 0 || lora.rslora || !lora.targets.empty()))
    fail(job, "model.lora", "rank",
         "= 0 trains every weight and needs no other key of this table; give a rank, such as 16, or leave "
         "the table out");
  if (lora.rank > 0 && !job.model.adapter.empty())
    fail(job, "model.lora", "rank",
         "excludes [model] adapter, which brings a rank of its own; leave one of the two out");
  const auto all = std::find(lora.targets.begin(), lora.targets.end(), "all-linear");
  if (all != lora.targets.end() && lora.targets.size() > 1)
    fail(job, "model.lora", "targets",
         "names all-linear and other modules beside it; give the one or the others");
}

void check_validation(const JobConfig& job) {
  const auto& validation = job.validation;
  if (!job.data.validation.empty() && job.data.validation_split > 0)
    fail(job, "data", "validation_split", "excludes validation; give one of the two");
  if (validation.temperature == 0 && validation.top_k != 0)
    fail(job, "validation", "top_k",
         "needs temperature > 0: greedy decoding samples nothing; remove it or set a temperature");
  if (validation.temperature == 0 && validation.top_p != 1)
    fail(job, "validation", "top_p",
         "needs temperature > 0: greedy decoding samples nothing; remove it or set a temperature");
}

bool is_grouped(const std::string& estimator) { return estimator != "gae" && estimator != "reinforce++"; }

void check_estimator(const JobConfig& job) {
  const auto& estimator = job.ppo.advantage_estimator;
  if (is_grouped(estimator) && job.rollout.samples_per_prompt < 2)
    fail(job, "ppo", "advantage_estimator",
         fmt::format(
             "= \"{}\" compares the completions of one prompt: set samples_per_prompt ≥ 2 in [rollout]",
             estimator));
  if (!is_grouped(estimator) && job.rollout.dynamic_sampling != "off")
    fail(job, "rollout", "dynamic_sampling",
         fmt::format("is for estimators that compare the completions of one prompt, such as grpo; \"{}\" "
                     "learns from equal scores too: leave the key out",
                     estimator));
  if (estimator != "gae" && job.ppo.missing_eos == "bootstrap")
    fail(job, "ppo", "missing_eos",
         fmt::format("= \"bootstrap\" needs a value head, which only advantage_estimator = \"gae\" trains, "
                     "not \"{}\"",
                     estimator));
  if (estimator != "gae" && job.ppo.value_model == "separate")
    fail(job, "ppo", "value_model",
         fmt::format("= \"separate\" is for advantage_estimator = \"gae\"; \"{}\" trains no critic, leave "
                     "the key out",
                     estimator));
}

void check_sizes(const JobConfig& job) {
  const int64_t num_episodes = job.rollout.prompts_per_iteration * job.rollout.samples_per_prompt;
  if (job.ppo.minibatches > num_episodes)
    fail(job, "ppo", "minibatches",
         fmt::format("= {} is more than the {} episodes of an iteration (prompts_per_iteration × "
                     "samples_per_prompt); "
                     "lower it or raise them",
                     job.ppo.minibatches, num_episodes));
}

void check_clipping(const JobConfig& job) {
  if (job.ppo.clip_range_high != 0 && job.ppo.clip_range_high < job.ppo.clip_range)
    fail(job, "ppo", "clip_range_high",
         fmt::format("= {} is below clip_range = {}; give at least that, or 0 for the same",
                     job.ppo.clip_range_high, job.ppo.clip_range));
  if (job.ppo.dual_clip != 0 && job.ppo.dual_clip <= 1)
    fail(job, "ppo", "dual_clip",
         fmt::format("= {} is not above 1; give 3 as published, or 0 for none", job.ppo.dual_clip));
}

void check_kl(const JobConfig& job) {
  if (job.ppo.adaptive_kl_target > 0 && job.ppo.kl_coef == 0)
    fail(job, "ppo", "adaptive_kl_target",
         "multiplies kl_coef, which is 0 and would stay 0; set kl_coef to where it begins, such as 0.05");
  if (job.ppo.importance_cap != 0 && job.ppo.importance_cap < 1)
    fail(job, "ppo", "importance_cap",
         fmt::format("= {} is below 1, the weight where sampler and trainer agree; give 2 as usual, or 0 "
                     "for none",
                     job.ppo.importance_cap));
}

void check_warmup(const JobConfig& job) {
  if (!job.warmup.data.empty() && job.warmup.epochs == 0)
    fail(job, "warmup", "data", "is given but epochs is 0; set epochs in [warmup] or leave data out");
}

void check_ranks(const JobConfig& job) {
  const int64_t gpus = job.resources.gpus, cores = job.resources.cores, ranks = job.resources.ranks;
  if (ranks > 1 && gpus > 0)
    fail(job, "resources", "ranks",
         fmt::format("= {} is for the CPU, and gpus = {}; set gpus = 0, or leave ranks out", ranks, gpus));
  if (cores > 0 && ranks > cores)
    fail(job, "resources", "ranks",
         fmt::format("= {} is more than cores = {}, and each rank needs one; lower it or raise cores", ranks,
                     cores));
}

}  // namespace

void check_job(const JobConfig& job) {
  check_lora(job);
  check_validation(job);
  check_estimator(job);
  check_sizes(job);
  check_clipping(job);
  check_kl(job);
  check_warmup(job);
  check_ranks(job);
}

void check_owners_scorer(const JobConfig& job) {
  const ScorerConfig& scorer = job.scorer;
  if (scorer.plugin.empty() && scorer.grader.empty())
    fail(job, "scorer", "plugin",
         "is missing; add plugin = … under [scorer], such as \"exact_match\" or \"scorer.py\", or grader = "
         "… with the name of a JSON file");
  if (scorer.grader.empty()) return;
  if (job.lines.given("scorer", "plugin"))
    fail(job, "scorer", "grader", "excludes plugin, which it stands for; leave one of the two out");
}

}  // namespace rft::config
