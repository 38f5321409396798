// Makes a tokenizer from texts: a byte-level BPE as GPT-2's, so that every text can be encoded and decodes to
// itself. The same texts give the same tokenizer.
//
// Threading: a free function, single-threaded; seconds for some megabytes of text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace rft::text {

struct BpeOptions {
  int64_t vocab_size = 512;  // special tokens counted; at least 256 + their number. Few texts give fewer.
  std::string eos_token = "<|endoftext|>";
  std::string pad_token = "<|pad|>";
  std::vector<std::string> special_tokens;  // further ones
};

// Trains on `texts` and writes tokenizer.json and tokenizer_config.json to `model_dir` (made if missing), as
// Hugging Face's `transformers` loads them. The ids start with EOS, padding, and the further special tokens.
// Throws Error: invalid_argument for a vocabulary that is too small or a special token that is empty or
// repeated, io.
void train_bpe(std::span<const std::string> texts, const BpeOptions& options,
               const std::filesystem::path& model_dir);

}  // namespace rft::text
