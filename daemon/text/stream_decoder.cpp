#include "text/stream_decoder.h"

#include <algorithm>
#include <span>

namespace rft::text {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

std::string StreamDecoder::push(int64_t id) {
  ids_.push_back(id);
  const std::string window = decode_from(0, ids_.size());
  const std::string text = new_text(window);
  if (text.empty() || window.ends_with(kReplacement)) return {};
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<ptrdiff_t>(num_emitted_));
  num_emitted_ = ids_.size();
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = new_text(decode_from(0, ids_.size()));
  ids_.clear();
  num_emitted_ = 0;
  return text;
}

std::string StreamDecoder::decode_from(size_t begin, size_t end) const {
  return tokenizer_.decode(std::span(ids_).subspan(begin, end - begin), skip_special_tokens_);
}

// What the window says beyond its emitted tokens. Those end in a whole character, but byte tokens that follow
// can turn it into U+FFFDs of another length: the cut is then moved on to a character's first byte.
std::string StreamDecoder::new_text(const std::string& window) const {
  size_t begin = std::min(decode_from(0, num_emitted_).size(), window.size());
  while (begin < window.size() && is_continuation(window[begin])) ++begin;
  return window.substr(begin);
}

}  // namespace rft::text
