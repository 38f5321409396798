// How the C++ side calls the Rust library: views of strings in, results as strings, errors as rft::Error.
// Included by the .cpp files of this folder alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "text/rust_text.h"

namespace rft::text {

inline rft_text_view view(std::string_view text) { return {text.data(), text.size()}; }

// The bytes of a buffer that a call answered; frees it.
std::string take(rft_text_buffer buffer);

// Calls `function(arguments..., &out)` and answers its bytes. Throws Error(invalid_argument) with the
// library's text, after `what` and a colon.
template <class... Parameters, class... Arguments>
std::string call(const std::string& what, int (*function)(Parameters...), Arguments... arguments) {
  rft_text_buffer out{};
  const bool failed = function(arguments..., &out) != 0;
  std::string bytes = take(out);
  if (failed) throw Error(ErrorCode::invalid_argument, what + ": " + bytes);
  return bytes;
}

}  // namespace rft::text
