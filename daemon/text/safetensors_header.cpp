#include "text/safetensors_header.h"

#include <bit>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "text/rust_call.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little, "the header's length is little-endian");
constexpr uint64_t kMaxHeaderSize = 100'000'000;  // the format's own limit

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, file.string() + ": not a valid safetensors file: " + why);
}

// The header's JSON text; `file_bytes` is set.
std::string read_header_text(const fs::path& file, uint64_t& file_bytes) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) throw_errno("cannot read " + file.string());
  file_bytes = static_cast<uint64_t>(in.tellg());
  in.seekg(0);
  uint64_t size = 0;
  char raw_size[sizeof size];
  if (file_bytes < sizeof size || !in.read(raw_size, sizeof size)) refuse(file, "shorter than 8 bytes");
  std::memcpy(&size, raw_size, sizeof size);
  if (size > kMaxHeaderSize)
    refuse(file, "a header of " + std::to_string(size) + " bytes; the limit is 100000000");
  if (size > file_bytes - sizeof size)
    refuse(file,
           "the header of " + std::to_string(size) + " bytes is longer than the file; it was cut short");
  std::string header(size, '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(size)))
    throw_errno("cannot read " + file.string());
  return header;
}

}  // namespace

std::vector<StoredTensor> read_safetensors_header(const fs::path& file) {
  uint64_t file_bytes = 0;
  const std::string header = read_header_text(file, file_bytes);
  const uint64_t data_begin = sizeof(uint64_t) + header.size();
  const std::string entries = call(file.string() + ": not a valid safetensors file",
                                   rft_text_safetensors_header, view(header), file_bytes - data_begin);
  std::vector<StoredTensor> tensors;
  for (const Json& entry : parse_json(entries, file.string())) {
    const auto begin = entry["begin"].get<uint64_t>();
    const auto end = entry["end"].get<uint64_t>();
    tensors.push_back({entry["name"], entry["dtype"], entry["shape"], data_begin + begin, end - begin});
  }
  return tensors;
}

}  // namespace rft::text
