// Watches the text of one completion for the strings that end it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "text/stream_decoder.h"

namespace rft::engine {

// Holds a reference to the tokenizer and to the strings. Not thread-safe.
class StopStrings {
 public:
  StopStrings(const text::Tokenizer& tokenizer, std::span<const std::string> stop);

  // Adds one token; whether the completion's text now holds one of the strings. They may begin and end within
  // tokens, and may be the text of special tokens.
  bool push(int64_t id);

 private:
  text::StreamDecoder decoder_;
  std::span<const std::string> stop_;
  size_t longest_ = 0;
  std::string tail_;  // the text's end: as much as a string may still be completed from
};

}  // namespace rft::engine
