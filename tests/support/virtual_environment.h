// A real virtual environment that has a package which the system's Python lacks. No network is needed.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace rft {

// Makes it at `folder`, with a module `only_here` whose ANSWER is 42, and answers its interpreter.
inline std::filesystem::path make_virtual_environment(const std::filesystem::path& folder) {
  if (std::system(("/usr/bin/python3 -m venv --without-pip " + folder.string()).c_str()) != 0)
    throw std::runtime_error("cannot make a virtual environment: apt install python3-venv");
  for (const auto& entry : std::filesystem::directory_iterator(folder / "lib"))
    std::ofstream(entry.path() / "site-packages/only_here.py") << "ANSWER = 42\n";
  return folder / "bin/python3";
}

}  // namespace rft
