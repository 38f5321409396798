// Where the running program is, and what was built or installed with it.
#pragma once

#include <filesystem>

namespace rft {

std::filesystem::path program_folder();

// The plugins that are shipped: ../plugins beside the programs of a build tree, ../lib/rftd/plugins where
// they are installed. Empty if there is neither.
std::filesystem::path shipped_plugins_folder();

// Where docs/ and the plugins' pages lie: ../share/doc/rftd where they are installed, the sources for the
// programs of a build tree in them. Empty if there is neither.
std::filesystem::path documentation_folder();

}  // namespace rft
