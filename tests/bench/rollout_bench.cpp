// Rollouts of a model folder, timed; tests/bench/rollout.py runs it beside its peers. Each line on stdin asks
// for one run and gets one line with its seconds on stdout, so that runs of the two sides can alternate.
//
//   rollout_bench MODEL_DIR DTYPE BATCH PROMPT_TOKENS NEW_TOKENS
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "engine/counter_random.h"
#include "engine/rollout/generate.h"

namespace {

using namespace rft::engine;

class NoProgress : public ProgressSink {
  void advance(std::string_view, int64_t, int64_t, std::string_view) override {}
  bool stop_requested() const override { return false; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: rollout_bench MODEL_DIR float32|bfloat16 BATCH PROMPT_TOKENS NEW_TOKENS\n", stderr);
    return 2;
  }
  const bool bf16 = std::string(argv[2]) == "bfloat16";
  const int64_t batch = std::stol(argv[3]), prompt_tokens = std::stol(argv[4]),
                new_tokens = std::stol(argv[5]);
  const auto decoder = Decoder::load(argv[1], {at::kCPU, bf16 ? at::kBFloat16 : at::kFloat});
  std::vector<Prompt> prompts(static_cast<size_t>(batch));
  for (size_t p = 0; p < prompts.size(); ++p) {
    prompts[p].stream = p;
    for (int64_t t = 0; t < prompt_tokens; ++t)
      prompts[p].ids.push_back(static_cast<int64_t>(mix(p, static_cast<uint64_t>(t)) %
                                                    static_cast<uint64_t>(decoder->config().vocab_size)));
  }
  SamplingOptions options{.max_new_tokens = new_tokens, .ignore_eos = true, .max_batch = batch};
  NoProgress progress;
  for (std::string line; std::getline(std::cin, line); ++options.seed) {
    const auto start = std::chrono::steady_clock::now();
    generate(*decoder, prompts, options, nullptr, progress);
    std::printf("%.6f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::fflush(stdout);
  }
}
