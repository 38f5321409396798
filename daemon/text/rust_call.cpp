#include "text/rust_call.h"

namespace rft::text {

std::string take(rft_text_buffer buffer) {
  std::string bytes(reinterpret_cast<const char*>(buffer.data), buffer.size);
  rft_text_buffer_free(buffer);
  return bytes;
}

}  // namespace rft::text
