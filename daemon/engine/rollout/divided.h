// Completions of prompts by all ranks together: each samples those of its share of the prompts, and all end
// with all of them.
#pragma once

#include <span>
#include <vector>

#include "engine/ranks.h"
#include "engine/rollout/generate.h"

namespace rft::engine {

// As generate(), called by every rank with the same arguments but for `progress`, which hears of the rank's
// own share; `prompt_ended` too, by its place among all of them. Where one rank's sink asks to stop, all
// throw Interrupted.
std::vector<std::vector<Completion>> generate_divided(const Decoder& decoder,
                                                      const std::vector<Prompt>& prompts,
                                                      const SamplingOptions& options,
                                                      const text::Tokenizer* tokenizer,
                                                      ProgressSink& progress, Ranks& ranks,
                                                      const PromptEnded& prompt_ended = {});

}  // namespace rft::engine
