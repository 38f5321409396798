// Where the keys of a configuration file stood, so that what is found out later can still name the line.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace rft::config {

class KeyLines {
 public:
  void add(std::string_view section, std::string_view name, size_t line);
  bool given(std::string_view section, std::string_view name) const;
  // "FILE:LINE: " of the key, of its section when only that was given, else "FILE: "; "" without a file.
  std::string where(std::string_view section, std::string_view name) const;
  std::filesystem::path file;

 private:
  std::map<std::string, size_t, std::less<>> lines_;
};

}  // namespace rft::config
