// The engine's side of the parity test with PEFT: the gradient of one minibatch of a model with an adapter,
// and an adapter that the engine trained.
//
//   lora_probe MODEL_DIR ADAPTER_DIR OUT_DIR
//
// reads {"episodes": [{"prompt": n, "prompt_ids": […], "completion_ids": […], "score": x}]} from stdin,
// answers {PEFT's key: [gradient, flat]} of the estimator rloo without a reference, takes a step, and writes
// the adapter as OUT_DIR/adapter and the merged model as OUT_DIR/merged.
#include <ATen/ATen.h>

#include <cstdio>
#include <iostream>
#include <numeric>

#include "base/json.h"
#include "engine/model/export_model.h"
#include "engine/optim/adamw.h"
#include "engine/ppo/frozen_iteration.h"
#include "engine/ppo/minibatch.h"

namespace {

using namespace rft;
using namespace rft::engine;

std::vector<Episode> episodes_of(const Json& question) {
  std::vector<Episode> episodes;
  for (const Json& json : question.at("episodes")) {
    Episode episode;
    episode.prompt_index = json.at("prompt");
    episode.prompt_ids = json.at("prompt_ids").get<std::vector<int64_t>>();
    episode.completion_ids = json.at("completion_ids").get<std::vector<int64_t>>();
    episode.rollout_log_probs.resize(episode.completion_ids.size());
    episode.score = json.at("score");
    episodes.push_back(std::move(episode));
  }
  return episodes;
}

void accumulate(const Decoder& policy, const std::vector<Episode>& episodes) {
  PpoOptions options;
  options.advantage_estimator = AdvantageEstimator::rloo;
  options.loss_normalisation = LossNormalisation::token;
  std::vector<int64_t> all(episodes.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const FrozenIteration frozen = freeze_iteration(episodes, policy, nullptr, nullptr, options);
  accumulate_minibatch(policy, nullptr, frozen, all, options);
}

Json gradients_of(const Decoder& policy) {
  Json gradients = Json::object();
  for (const NamedTensor& factor : policy.trained_parameters()) {
    const at::Tensor gradient = factor.tensor.grad().contiguous();
    const float* numbers = gradient.const_data_ptr<float>();
    gradients[factor.name] = std::vector<float>(numbers, numbers + gradient.numel());
  }
  return gradients;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::fputs("usage: lora_probe MODEL_DIR ADAPTER_DIR OUT_DIR\n", stderr);
    return 2;
  }
  const auto base = Decoder::load(argv[1], {});
  const auto policy = base->with_adapter(read_adapter(argv[2], base->config()));
  std::string line;
  std::getline(std::cin, line);
  accumulate(*policy, episodes_of(parse_json(line, "stdin")));
  std::cout << dump_json(gradients_of(*policy)) << std::endl;

  std::vector<at::Tensor> trained;
  for (const NamedTensor& factor : policy->trained_parameters()) trained.push_back(factor.tensor);
  AdamW(trained, {}).step(1e-2);
  policy->weights_changed();
  const std::filesystem::path out = argv[3];
  write_adapter(*policy->adapter(), policy->config(), argv[1], out / "adapter");
  export_model(*policy, argv[1], out / "merged");
} catch (const std::exception& error) {
  std::fprintf(stderr, "lora_probe: %s\n", error.what());
  return 1;
}
