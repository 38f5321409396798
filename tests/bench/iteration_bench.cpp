// One side of iteration_vs_trl.py: rftd's own rollout and update on the workload file given, one iteration
// for each line on stdin, one line of JSON with its seconds on stdout.
//
//   iteration_bench WORKLOAD.json [float32|bfloat16]
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "engine/ppo/trainer.h"
#include "engine/rollout/generate.h"
#include "engine/runtime.h"

namespace {

using namespace rft;
using namespace rft::engine;
using Clock = std::chrono::steady_clock;

class NoProgress : public ProgressSink {
  void advance(std::string_view, int64_t, int64_t, std::string_view) override {}
  bool stop_requested() const override { return false; }
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

ModelConfig model_config(const Json& shape) {
  Json config = shape;
  config["architectures"] = {"LlamaForCausalLM"};
  config["model_type"] = "llama";
  config["tie_word_embeddings"] = true;
  return parse_model_config(config, Json()).config;
}

PpoOptions ppo_options(const Json& workload) {
  PpoOptions options;
  options.advantage_estimator =
      advantage_estimator_from_string(workload.at("advantage_estimator").get<std::string>());
  options.num_ppo_epochs = workload.at("num_ppo_epochs");
  options.minibatches = workload.at("minibatches");
  options.kl_coef = workload.at("kl_coef");
  options.learning_rate = workload.at("learning_rate");
  options.max_new_tokens = workload.at("max_new_tokens");
  return options;
}

// Scored by a rule that any trainer could follow: the share of even tokens.
Episode episode_of(const Prompt& prompt, int64_t sample, Completion&& completion) {
  Episode episode;
  episode.prompt_index = static_cast<int64_t>(prompt.stream);
  episode.sample = sample;
  episode.prompt_ids = prompt.ids;
  for (const int64_t id : completion.ids) episode.score += id % 2 == 0 ? 1 : 0;
  episode.score /= static_cast<double>(completion.ids.size());
  episode.completion_ids = std::move(completion.ids);
  episode.rollout_log_probs = std::move(completion.log_probs);
  episode.cut = true;
  return episode;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: iteration_bench WORKLOAD.json [float32|bfloat16]\n", stderr);
    return 2;
  }
  reuse_freed_memory();
  const Json workload = parse_json(read_file(argv[1]), argv[1]);
  const bool bf16 = argc > 2 && std::string(argv[2]) == "bfloat16";
  const auto policy =
      Decoder::random(model_config(workload.at("shape")), 0,
                      {.device = at::kCPU, .compute_dtype = bf16 ? at::kBFloat16 : at::kFloat});
  PpoTrainer trainer(policy, ppo_options(workload), 1000);
  trainer.freeze_reference();
  std::vector<Prompt> prompts;
  for (const Json& ids : workload.at("prompts")) {
    prompts.push_back({.ids = ids.get<std::vector<int64_t>>(),
                       .num_samples = workload.at("samples_per_prompt"),
                       .stream = prompts.size()});
  }
  SamplingOptions sampling{.max_new_tokens = workload.at("max_new_tokens"), .ignore_eos = true};
  NoProgress progress;
  std::puts("{\"ready\": true}");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line); ++sampling.iteration) {
    const auto start = Clock::now();
    auto completions = generate(*policy, prompts, sampling, nullptr, progress);
    std::vector<Episode> episodes;
    for (size_t i = 0; i < prompts.size(); ++i) {
      for (size_t sample = 0; sample < completions[i].size(); ++sample)
        episodes.push_back(
            episode_of(prompts[i], static_cast<int64_t>(sample), std::move(completions[i][sample])));
    }
    const double rollout_s = seconds_since(start);
    const UpdateReport report = trainer.update(episodes, static_cast<int64_t>(sampling.iteration), progress);
    const double seconds = seconds_since(start);
    Json answer = {{"seconds", seconds}, {"rollout_s", rollout_s}, {"update_s", seconds - rollout_s}};
    answer["metrics"] = report.metrics;
    std::puts(dump_json(answer).c_str());
    std::fflush(stdout);
  }
}
