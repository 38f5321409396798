// A model small enough for a unit test, and made-up episodes for it.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <memory>
#include <string_view>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/ppo/episode.h"
#include "engine/progress_sink.h"

namespace rft::engine::testing {

inline constexpr int64_t kTinyVocabulary = 32;

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = kTinyVocabulary;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.num_layers = 2;
  config.num_heads = 2;
  config.num_kv_heads = 1;
  config.head_dim = 8;
  config.max_positions = 64;
  config.initializer_range = 0.2;  // far enough from uniform that predictions differ
  config.tie_word_embeddings = true;
  config.eos_token_ids = {0};
  return config;
}

inline std::shared_ptr<Decoder> tiny_policy(uint64_t seed = 1, at::ScalarType compute_dtype = at::kFloat) {
  at::set_num_threads(1);  // nothing here is large enough to share out
  DecoderOptions options;
  options.compute_dtype = compute_dtype;
  return Decoder::random(tiny_config(), seed, options);
}

// The tiny policy with a new LoRA adapter on every linear, which alone is trained.
inline std::shared_ptr<Decoder> tiny_lora_policy(uint64_t seed = 1,
                                                 at::ScalarType compute_dtype = at::kFloat) {
  return tiny_policy(1, compute_dtype)
      ->with_adapter(new_adapter(tiny_config(), {4, 8, false, {"all-linear"}}, seed));
}

// The log-probs of the completion's tokens by the slow path: whole logits, one sequence, no batch.
inline at::Tensor slow_log_probs(const Decoder& policy, const std::vector<int64_t>& prompt_ids,
                                 const std::vector<int64_t>& completion_ids, double temperature = 1) {
  std::vector<int64_t> ids = prompt_ids;
  ids.insert(ids.end(), completion_ids.begin(), completion_ids.end());
  const at::Tensor all = at::tensor(ids, at::kLong);
  const at::Tensor logits = policy.logits(policy.hidden_states(all.unsqueeze(0))).squeeze(0) / temperature;
  const auto P = static_cast<int64_t>(prompt_ids.size()), T = static_cast<int64_t>(completion_ids.size());
  return at::log_softmax(logits, -1)
      .narrow(0, P - 1, T)
      .gather(-1, all.narrow(0, P, T).unsqueeze(-1))
      .squeeze(-1);
}

// `num_prompts` × `num_samples` episodes of uneven lengths with scores in [0, 1], a function of `salt`.
inline std::vector<Episode> made_up_episodes(const Decoder& policy, int64_t num_prompts, int64_t num_samples,
                                             int64_t salt = 0) {
  const at::NoGradGuard no_grad;
  std::vector<Episode> episodes;
  int64_t noise = 17 + salt;
  const auto draw = [&noise](int64_t below) {
    noise = (noise * 1103515245 + 12345) % 2147483648;
    return noise / 65536 % below;
  };
  for (int64_t prompt = 0; prompt < num_prompts; ++prompt) {
    std::vector<int64_t> prompt_ids;
    for (int64_t i = 0; i < 2 + prompt % 4; ++i) prompt_ids.push_back(1 + draw(kTinyVocabulary - 1));
    for (int64_t sample = 0; sample < num_samples; ++sample) {
      Episode episode;
      episode.prompt_index = 10 * prompt;
      episode.sample = sample;
      episode.prompt_ids = prompt_ids;
      const int64_t length = 1 + draw(9);
      for (int64_t i = 0; i < length; ++i) episode.completion_ids.push_back(1 + draw(kTinyVocabulary - 1));
      episode.cut = draw(3) == 0;
      if (!episode.cut) episode.completion_ids.push_back(0);
      episode.score = static_cast<double>(draw(1024)) / 1024;
      const at::Tensor log_probs = slow_log_probs(policy, prompt_ids, episode.completion_ids);
      episode.rollout_log_probs.assign(log_probs.data_ptr<float>(),
                                       log_probs.data_ptr<float>() + log_probs.numel());
      episodes.push_back(std::move(episode));
    }
  }
  return episodes;
}

// All that training changes, as one vector.
inline at::Tensor all_weights(const Decoder& policy) {
  std::vector<at::Tensor> flat;
  for (const NamedTensor& parameter : policy.trained_parameters())
    flat.push_back(parameter.tensor.detach().flatten());
  return at::cat(flat);
}

struct SilentProgress : ProgressSink {
  void advance(std::string_view /*phase*/, int64_t done, int64_t total, std::string_view /*unit*/) override {
    last_done = done;
    last_total = total;
  }
  bool stop_requested() const override { return false; }
  int64_t last_done = 0, last_total = 0;
};

}  // namespace rft::engine::testing
