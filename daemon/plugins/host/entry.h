// Loading a plugin's shared object: the one place that runs its code for the first time.
#pragma once

#include <string>

#include "plugins/note.h"
#include "rft/plugin.h"

namespace rft::plugins::host {

// The entry of the shared object at `path`, whose note was read and can be loaded. It stays loaded. Throws
// PluginError(not_loadable | wrong_abi).
const rft_plugin& load_entry(const std::string& path, const PluginNote& note);

// Whether a struct that the plugin filled reaches as far as `member_end`.
template <class T>
bool reaches(const T* filled, size_t member_end) {
  return filled != nullptr && filled->struct_size >= member_end;
}

}  // namespace rft::plugins::host
