#include "base/program_folder.h"

namespace rft {
namespace fs = std::filesystem;

fs::path program_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

fs::path shipped_plugins_folder() {
  const fs::path folder = program_folder();
  for (const auto& candidate : {folder / "../plugins", folder / "../lib/rftd/plugins"})
    if (fs::is_directory(candidate)) return candidate.lexically_normal();
  return {};
}

fs::path documentation_folder() {
  const fs::path folder = program_folder();
  for (const auto& candidate : {folder / "../share/doc/rftd", folder / "../../.."})
    if (fs::is_regular_file(candidate / "docs/scorers.md")) return fs::canonical(candidate);
  return {};
}

}  // namespace rft
