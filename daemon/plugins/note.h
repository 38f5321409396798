// What a plugin's shared object says of itself in its `.note.rft` ELF section. It is read from the file's
// bytes, bounded and checked: nothing of the plugin is mapped or run.
#pragma once

#include <filesystem>
#include <string>

namespace rft::plugins {

struct PluginNote {
  std::string kind;     // "scorer" or "dataset-adapter"
  std::string name;     // [a-z0-9][a-z0-9_-]*
  std::string version;  // as its author writes it
  int abi_major = 0;
  int abi_minor = 0;
};

// Throws PluginError(not_loadable) for a file that cannot be read, is no ELF shared object of this machine,
// or has no note, or more than one.
PluginNote read_note(const std::filesystem::path& shared_object);

// Throws PluginError(wrong_abi) unless a plugin with this note can be loaded by this build: the same ABI
// major, and a minor no newer than ours. The text names both versions.
void require_loadable_abi(const PluginNote& note, const std::filesystem::path& shared_object);

// What a plugin's file is, by its bytes and name: "shared_object" (an ELF shared object with a note, or any
// *.so), "python" (*.py) or "command" (anything else that its owner may execute). Throws
// PluginError(not_loadable) for anything else.
std::string detect_implementation(const std::filesystem::path& file);

// What a file of that implementation is: a shared object's note says it, a Python file's functions do
// (`def adapt`; `def score` or `def grade`). "program": one that does not say it beforehand and may be
// either. Throws like read_note.
std::string detect_kind(const std::filesystem::path& file, const std::string& implementation);

// Whether `name` can be a plugin's name: [a-z0-9][a-z0-9_-]*, at most 63 characters.
bool is_plugin_name(const std::string& name);

}  // namespace rft::plugins
