// Decodes a completion while it grows. Decoding token by token is wrong: a character may span tokens, and
// many tokenizers drop the space before the first token they are given. So the tokens since the last emitted
// text are decoded together with those just before them, and text is emitted once it has grown and ends in a
// whole character.
//
// The pieces joined are what decoding all ids at once answers. Threading: one thread at a time. Ownership:
// the tokenizer must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace rft::text {

class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  // The text that this token completes; empty while a character is unfinished.
  std::string push(int64_t id);
  // The text still held back, a cut character as U+FFFD. The decoder is then as new.
  std::string finish();

 private:
  std::string decode_from(size_t begin, size_t end) const;
  std::string new_text(const std::string& window) const;

  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  std::vector<int64_t> ids_;  // the window: tokens already emitted, for context, then those held back
  size_t num_emitted_ = 0;    // ids_[0 .. num_emitted_) are out
};

}  // namespace rft::text
