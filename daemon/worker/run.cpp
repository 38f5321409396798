#include "worker/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "engine/model/model_config.h"
#include "engine/runtime.h"
#include "worker/start_scorer.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWarmupState = "warmup";
constexpr const char* kTrainerState = "trainer";

engine::PpoOptions ppo_options_of(const config::JobConfig& config) {
  const config::PpoConfig& ppo = config.ppo;
  const config::TrainingConfig& training = config.training;
  engine::PpoOptions options;
  options.advantage_estimator = engine::advantage_estimator_from_string(ppo.advantage_estimator);
  options.num_ppo_epochs = ppo.num_ppo_epochs;
  options.minibatches = ppo.minibatches;
  options.clip_range = ppo.clip_range;
  options.clip_range_high = ppo.clip_range_high;
  options.dual_clip = ppo.dual_clip;
  options.value_model = engine::value_model_from_string(ppo.value_model);
  options.value_clip_range = ppo.value_clip_range;
  options.value_coef = ppo.value_coef;
  options.entropy_coef = ppo.entropy_coef;
  options.gamma = ppo.gamma;
  options.gae_lambda = ppo.gae_lambda;
  options.kl_coef = ppo.kl_coef;
  options.kl_estimator = engine::kl_estimator_from_string(ppo.kl_estimator);
  options.kl_placement = engine::kl_placement_from_string(ppo.kl_placement);
  options.adaptive_kl_target = ppo.adaptive_kl_target;
  options.adaptive_kl_horizon = ppo.adaptive_kl_horizon;
  options.target_kl = ppo.target_kl;
  options.missing_eos = engine::missing_eos_from_string(ppo.missing_eos);
  options.eos_penalty = ppo.eos_penalty;
  options.loss_normalisation = engine::loss_normalisation_from_string(ppo.loss_normalisation);
  options.drop_equal_groups = config.rollout.dynamic_sampling != "off";
  options.importance_cap = ppo.importance_cap;
  options.temperature = config.rollout.temperature;
  options.max_new_tokens = config.rollout.max_new_tokens;
  options.learning_rate = training.learning_rate;
  options.schedule = engine::schedule_kind_from_string(training.schedule);
  options.min_learning_rate_ratio = training.min_learning_rate_ratio;
  options.warmup_iterations = training.warmup_iterations;
  options.weight_decay = training.weight_decay;
  options.max_grad_norm = training.max_grad_norm;
  options.seed = static_cast<uint64_t>(training.seed);
  return options;
}

engine::DecoderOptions decoder_options_of(const config::JobConfig& config, const std::string& device) {
  engine::DecoderOptions options = engine::decoder_options(device, config.model.dtype);
  options.gradient_checkpointing = config.training.gradient_checkpointing;
  return options;
}

RunLength run_length_of(const config::JobConfig& config, size_t num_prompts) {
  RunLength length;
  const auto prompts = static_cast<int64_t>(num_prompts);
  length.prompts_per_iteration = std::min(config.rollout.prompts_per_iteration, prompts);
  length.iterations_per_epoch = (prompts + length.prompts_per_iteration - 1) / length.prompts_per_iteration;
  length.num_iterations = length.iterations_per_epoch * config.training.epochs;
  return length;
}

Splits load_splits(const JobFolder& folder, const config::JobConfig& config, const text::Tokenizer& tokenizer,
                   const std::optional<text::ChatTemplate>& chat_template) {
  const engine::ModelConfig model = engine::read_model_config(config.resolved.model_path).config;
  const PromptFormat format(
      tokenizer, chat_template ? &*chat_template : nullptr, config.data.system,
      choose_shots(folder.data("train"), config.data.shots, static_cast<uint64_t>(config.training.seed)));
  const int64_t longest = model.max_positions - config.rollout.max_new_tokens;
  Splits splits;
  splits.train = load_examples(folder.data("train"), format, longest, model.vocab_size);
  splits.validation = load_examples(folder.data("validation"), format, longest, model.vocab_size);
  if (fs::exists(folder.data("test")))
    splits.test = load_examples(folder.data("test"), format, longest, model.vocab_size);
  if (config.warmup.epochs > 0) {
    const bool own_data = fs::exists(folder.data("warmup"));
    splits.warmup =
        load_examples(folder.data(own_data ? "warmup" : "train"), format, longest, model.vocab_size);
  }
  return splits;
}

std::shared_ptr<engine::Decoder> load_policy(const config::JobConfig& config,
                                             const engine::DecoderOptions& options) {
  auto model = engine::Decoder::load(config.resolved.model_path, options);
  const config::LoraConfig& lora = config.model.lora;
  if (!config.resolved.adapter_path.empty())
    return model->with_adapter(engine::read_adapter(config.resolved.adapter_path, model->config()));
  if (lora.rank == 0) return model;
  return model->with_adapter(engine::new_adapter(model->config(),
                                                 {lora.rank, lora.alpha, lora.rslora, lora.targets},
                                                 static_cast<uint64_t>(config.training.seed)));
}

int64_t count_of(const std::vector<engine::NamedTensor>& tensors) {
  int64_t count = 0;
  for (const engine::NamedTensor& named : tensors) count += named.tensor.numel();
  return count;
}

memory::DataExtent extent_of(const JobFolder& folder, const Splits& data, const text::Tokenizer& tokenizer) {
  memory::DataExtent extent;
  extent.num_evaluated = static_cast<int64_t>(std::max(data.validation.size(), data.test.size()));
  for (const auto* split : {&data.train, &data.validation, &data.test, &data.warmup})
    for (const Example& example : *split)
      extent.longest_prompt =
          std::max(extent.longest_prompt, static_cast<int64_t>(example.prompt_ids.size()));
  std::string longest_output;
  for (const Example& example : data.warmup)
    if (example.output.size() > longest_output.size()) longest_output = example.output;
  extent.longest_output =
      1 + static_cast<int64_t>(tokenizer.encode(longest_output, /*add_special_tokens=*/false).size());
  for (const char* split : {"train", "validation", "test", "warmup"})
    if (fs::exists(folder.data(split)))
      extent.num_bytes += static_cast<int64_t>(fs::file_size(folder.data(split)));
  return extent;
}

std::unique_ptr<engine::Warmup> make_warmup(const config::JobConfig& config, const Splits& data,
                                            const text::Tokenizer& tokenizer,
                                            const std::shared_ptr<engine::Decoder>& policy,
                                            engine::Ranks& ranks) {
  if (config.warmup.epochs == 0) return nullptr;
  const std::vector<int64_t>& ends = policy->config().eos_token_ids;
  if (ends.empty())
    throw Error(ErrorCode::unsupported,
                "the model names no end-of-sequence token (eos_token_id in config.json), "
                "which the warm-up teaches it to write");
  std::vector<engine::WarmupExample> examples;
  for (const Example& example : data.warmup) {
    if (example.output.empty())
      throw Error(ErrorCode::invalid_argument,
                  "a warm-up record has no output: " + dump_json(example.record));
    auto output_ids = tokenizer.encode(example.output, /*add_special_tokens=*/false);
    output_ids.push_back(ends.front());
    const size_t length = example.prompt_ids.size() + output_ids.size();
    if (static_cast<int64_t>(length) > policy->config().max_positions)
      throw Error(
          ErrorCode::invalid_argument,
          fmt::format("warm-up record {}: prompt and output have {} tokens, and the model's context {}; "
                      "shorten them",
                      examples.size() + 1, length, policy->config().max_positions));
    examples.push_back({example.prompt_ids, std::move(output_ids)});
  }
  engine::WarmupOptions options;
  options.epochs = config.warmup.epochs;
  options.batch_size = config.warmup.batch_size;
  options.learning_rate = config.warmup.learning_rate;
  options.prompt_loss = config.warmup.prompt_loss;
  options.weight_decay = config.training.weight_decay;
  options.max_grad_norm = config.training.max_grad_norm;
  options.seed = static_cast<uint64_t>(config.training.seed);
  return std::make_unique<engine::Warmup>(policy, std::move(examples), options, ranks);
}

}  // namespace

Run::Run(const JobFolder& job_folder, const RunOptions& run_options, Reporter& job_reporter,
         engine::Ranks& all_ranks)
    : folder(job_folder),
      options(run_options),
      config(config::parse_plan(folder.plan())),
      reporter(job_reporter),
      ranks(all_ranks),
      decoder_options(decoder_options_of(config, options.device)),
      tokenizer(text::Tokenizer::load(config.resolved.model_path)),
      chat_template(text::ChatTemplate::load(config.resolved.model_path)),
      data(load_splits(folder, config, tokenizer, chat_template)),
      length(run_length_of(config, data.train.size())),
      memory(count_memory(folder, config, extent_of(folder, data, tokenizer), ranks.first())),
      policy(load_policy(config, decoder_options)),
      warmup(make_warmup(config, data, tokenizer, policy, ranks)),
      trainer(policy, ppo_options_of(config), length.num_iterations, ranks),
      scoring(tokenizer, config.rollout.stop, ranks),
      resume_points_(folder.resume()) {
  if (const engine::LoraAdapter* adapter = policy->adapter())
    reporter.log("info", fmt::format("training a LoRA adapter of rank {}: {} parameters beside {} that stay",
                                     adapter->config.rank, count_of(adapter->factors),
                                     count_of(policy->parameters())));
  restore();
  reporter.set_scorer_swaps(state.scorer_swaps());
  // The first rank alone has it.
  if (ranks.first()) {
    const config::JobConfig present = state.scorer ? with_scorer(config, *state.scorer) : config;
    scoring.start(present.scorer, hosts_of(present, folder, options.host_program));
  }
}

void Run::restore() {
  // Before PPO the tensors are the warm-up's, afterwards the trainer's.
  const auto load_tensors = [this](const fs::path& point) {
    if (fs::exists(point / kTrainerState))
      trainer.load(point / kTrainerState);
    else if (warmup != nullptr && fs::exists(point / kWarmupState))
      warmup->load(point / kWarmupState);
  };
  // The first rank chooses, and sets damaged points aside; the others follow it.
  Restored restored;
  if (ranks.first()) restored = resume_points_.restore(load_tensors);
  const Json chosen = parse_json(
      ranks.from_first(dump_json({{"state", to_json(restored.state)}, {"point", restored.point.string()}})),
      "what the first rank restored");
  if (!ranks.first()) {
    restored.state = run_state_from_json(chosen.at("state"));
    restored.point = chosen.at("point").get<std::string>();
    if (!restored.point.empty()) load_tensors(restored.point);
  }
  for (const std::string& damaged : restored.damaged) reporter.warn("resume_point_damaged", damaged);
  state = restored.state;
  reporter.restore(state.lengths);
  if (state.reference_frozen) warmup.reset();
  if (state.iteration > 0 || (warmup != nullptr && warmup->steps_done() > 0))
    reporter.log("info", fmt::format("resumed after iteration {}", state.iteration));
}

void Run::save_resume_point() {
  if (!ranks.first()) return;
  state.lengths = reporter.sync();
  resume_points_.write(state, [this](const fs::path& point) {
    if (state.reference_frozen)
      trainer.save(point / kTrainerState);
    else if (warmup != nullptr)
      warmup->save(point / kWarmupState);
  });
  last_resume_point_ = std::chrono::steady_clock::now();
  reporter.send({{"type", "resume_point"}, {"iteration", state.iteration}});
}

bool Run::resume_point_due() const {
  return seconds_since(last_resume_point_) >= config.checkpoint.resume_every_s;
}

}  // namespace rft::worker
