// A tokenizer from before there was tokenizer.json: the vocab.json and merges.txt of a byte-level BPE. The
// two files say nothing of how words are cut, so only families whose rule is known are converted: GPT-2 and
// Qwen2.
//
// Threading: a free function, no shared state.
#pragma once

#include <filesystem>
#include <optional>

#include "base/json.h"

namespace rft::text {

// The tokenizer.json that the files of a model's folder, with its tokenizer_config.json and
// added_tokens.json, amount to; nothing when they are not there or are another family's. Throws
// Error(invalid_argument) that names the file and what is wrong.
std::optional<Json> tokenizer_json_of_bpe_files(const std::filesystem::path& model_dir);

}  // namespace rft::text
