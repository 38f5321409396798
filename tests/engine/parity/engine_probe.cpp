// The engine's side of the parity test: loads a model folder in float32, writes it out again as EXPORT_DIR,
// and answers each line {"ids": […], "new_tokens": n} with {"logits": [[…V…] per position], "greedy": […]}.
//
//   engine_probe MODEL_DIR EXPORT_DIR
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <iostream>

#include "base/json.h"
#include "engine/model/export_model.h"
#include "engine/rollout/generate.h"

namespace {

using namespace rft;
using namespace rft::engine;

class NoProgress : public ProgressSink {
  void advance(std::string_view, int64_t, int64_t, std::string_view) override {}
  bool stop_requested() const override { return false; }
};

Json answer(const Decoder& decoder, const Json& question) {
  const at::NoGradGuard no_grad;
  const auto ids = question.at("ids").get<std::vector<int64_t>>();
  const at::Tensor logits = decoder.logits(decoder.hidden_states(at::tensor(ids, at::kLong).unsqueeze(0)))[0];
  Json rows = Json::array();
  for (int64_t t = 0; t < logits.size(0); ++t) {
    const float* row = logits.const_data_ptr<float>() + t * logits.size(1);
    rows.push_back(std::vector<float>(row, row + logits.size(1)));
  }
  const std::vector<Prompt> prompts = {{ids, 1, 0}};
  NoProgress progress;
  const auto completions = generate(
      decoder, prompts, {.temperature = 0, .max_new_tokens = question.at("new_tokens").get<int64_t>()},
      nullptr, progress);
  return {{"logits", rows}, {"greedy", completions[0][0].ids}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fputs("usage: engine_probe MODEL_DIR EXPORT_DIR\n", stderr);
    return 2;
  }
  const auto decoder = Decoder::load(argv[1], {});
  export_model(*decoder, argv[1], argv[2]);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << dump_json(answer(*decoder, parse_json(line, "stdin"))) << std::endl;
} catch (const std::exception& error) {
  std::fprintf(stderr, "engine_probe: %s\n", error.what());
  return 1;
}
