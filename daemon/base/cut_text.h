// The beginning of a text that may be too long to keep or to show.
#pragma once

#include <string>
#include <string_view>

namespace rft {

// `text` where it has at most `max_bytes`; else as much of it, in whole UTF-8 characters, as fits into them
// with the "…" that is put at its end.
std::string cut_text(std::string_view text, size_t max_bytes);

}  // namespace rft
