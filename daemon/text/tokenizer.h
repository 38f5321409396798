// A model's tokenizer: the reference implementation of tokenizer.json (the Rust crate `tokenizers`), so that
// text becomes the same ids as everywhere else in the field.
//
// A text is never truncated or padded, whatever tokenizer.json says of it.
//
// Threading: const methods may be called by many threads at once. Ownership: movable, owns its vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct rft_text_tokenizer;

namespace rft::text {

class Tokenizer {
 public:
  // Reads tokenizer.json of a model's folder or, where there is none, what bpe_files.h converts.
  // Throws Error: not_found for a folder without a tokenizer, unsupported (with the command that makes a
  // tokenizer.json) for one in another format, invalid_argument with the file's name and the library's text.
  static Tokenizer load(const std::filesystem::path& model_dir);

  // The ids of a text. `add_special_tokens`: what the model's post-processor adds (BOS and the like); false
  // for text that a chat template made. Special tokens written out in the text become their ids either way.
  // Throws Error(invalid_argument) for text that is not UTF-8.
  std::vector<int64_t> encode(std::string_view text, bool add_special_tokens) const;

  // The text of some ids; bytes that are no UTF-8 become U+FFFD. Ids outside the vocabulary bring no text.
  // Throws Error(invalid_argument) for an id that is negative or takes more than 32 bits.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens) const;

  // One more than the largest id, added tokens counted: the rows that an embedding must have at least.
  int64_t vocab_size() const;
  // The id of a whole token as the vocabulary spells it; nothing if there is none.
  std::optional<int64_t> token_to_id(std::string_view token) const;

 private:
  struct Free {
    void operator()(rft_text_tokenizer* tokenizer) const;
  };
  explicit Tokenizer(rft_text_tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  std::unique_ptr<rft_text_tokenizer, Free> tokenizer_;
};

}  // namespace rft::text
