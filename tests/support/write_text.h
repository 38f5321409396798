// A file with this text, its folders made.
#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

namespace rft {

inline std::filesystem::path write_text(const std::filesystem::path& file, std::string_view text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

}  // namespace rft
