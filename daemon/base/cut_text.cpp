#include "base/cut_text.h"

namespace rft {
namespace {

constexpr std::string_view kEllipsis = "…";

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string cut_text(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t end = max_bytes > kEllipsis.size() ? max_bytes - kEllipsis.size() : 0;
  while (end > 0 && continues_character(text[end])) --end;
  return std::string(text.substr(0, end)).append(kEllipsis);
}

}  // namespace rft
