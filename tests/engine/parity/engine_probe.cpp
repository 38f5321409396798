// The engine's side of the parity tests: one JSON object a line on stdin, one a line on stdout.
//
//   {"model": DIR, "sequences": [[id, …], …], "compute": "float32", "reference_step": false, "new_tokens":
//   24,
//    "export": DIR}
//   -> {"logits": [[[…V…] per position] per sequence], "greedy": [[id, …] per sequence],
//       "log_probs": [[…] per sequence], "packed_step": true}
//
// The greedy continuations of all sequences are sampled in one batch. "export" is optional. What fails is
// answered with {"error": "…"}.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

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

// By the training pass: (T, V) as rows.
Json logits_of(const Decoder& decoder, const std::vector<int64_t>& ids) {
  const at::Tensor logits = decoder.logits(decoder.hidden_states(at::tensor(ids, at::kLong).unsqueeze(0)))[0];
  Json rows = Json::array();
  for (int64_t t = 0; t < logits.size(0); ++t) {
    const float* row = logits.const_data_ptr<float>() + t * logits.size(1);
    rows.push_back(std::vector<float>(row, row + logits.size(1)));
  }
  return rows;
}

Json answer(const Json& question) {
  const at::NoGradGuard no_grad;
  const std::filesystem::path folder = question.at("model").get<std::string>();
  DecoderOptions options;
  if (question.value("compute", "float32") == "bfloat16") options.compute_dtype = at::kBFloat16;
  options.reference_step = question.value("reference_step", false);
  const auto decoder = Decoder::load(folder, options);
  if (question.contains("export")) export_model(*decoder, folder, question.at("export").get<std::string>());

  Json answer = {{"logits", Json::array()}, {"greedy", Json::array()}, {"log_probs", Json::array()}};
  answer["packed_step"] = decoder->make_cache(1, 1).layout == KvLayout::blocked;
  std::vector<Prompt> prompts;
  for (const Json& ids : question.at("sequences")) {
    prompts.push_back({ids.get<std::vector<int64_t>>(), 1, 0});
    answer["logits"].push_back(logits_of(*decoder, prompts.back().ids));
  }
  NoProgress progress;
  const int64_t new_tokens = question.value("new_tokens", int64_t{24});
  for (const auto& completions :
       generate(*decoder, prompts, {.temperature = 0, .max_new_tokens = new_tokens}, nullptr, progress)) {
    answer["greedy"].push_back(completions[0].ids);
    answer["log_probs"].push_back(completions[0].log_probs);
  }
  return answer;
}

}  // namespace

int main() {
  at::set_num_threads(1);  // nothing here is large enough to share out
  for (std::string line; std::getline(std::cin, line);) {
    Json reply;
    try {
      reply = answer(parse_json(line, "stdin"));
    } catch (const std::exception& error) {
      reply = {{"error", error.what()}};
    }
    std::cout << dump_json(reply) << std::endl;
  }
}
