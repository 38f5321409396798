// SHA-256 as lower-case hexadecimal digits (64 of them), by OpenSSL.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace rft {

std::string sha256(std::string_view bytes);
// Throws Error(io) when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace rft
