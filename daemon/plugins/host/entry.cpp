#include "plugins/host/entry.h"

#include <boost/dll/shared_library.hpp>
#include <cstddef>

#include "plugins/plugin_error.h"

namespace rft::plugins::host {

const rft_plugin& load_entry(const std::string& path, const PluginNote& note) {
  namespace dll = boost::dll;
  const rft_plugin* entry = nullptr;
  try {
    // Never unloaded: its code stays until this process ends.
    static dll::shared_library library;
    library.load(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    entry = &library.get<const rft_plugin>("rft_plugin_entry");
  } catch (const std::exception& error) {
    throw PluginError(PluginFailure::not_loadable, error.what());
  }
  const bool same_abi = entry->abi_version == ((static_cast<uint32_t>(note.abi_major) << 16) |
                                               static_cast<uint32_t>(note.abi_minor));
  if (!same_abi) throw PluginError(PluginFailure::wrong_abi, "its entry and its note name different ABIs");
  constexpr size_t needed = offsetof(rft_plugin, capability) + sizeof entry->capability;
  if (!reaches(entry, needed) || !entry->create || !entry->destroy || !entry->capability)
    throw PluginError(PluginFailure::not_loadable, "its entry lacks a function");
  return *entry;
}

}  // namespace rft::plugins::host
