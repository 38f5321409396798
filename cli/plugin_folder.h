// `rftctl plugins new`: a folder made of a template of the installed SDK. The commands that it prints are
// those of the template's README, so that they stand in one place.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace rft::cli {

struct NewPlugin {
  std::string name;
  std::string kind = "scorer";   // scorer | adapter
  std::string language = "cpp";  // cpp | python | command
};

struct PluginFolder {
  std::filesystem::path folder;
  std::vector<std::string> commands;  // to be run in it, in order
};

// Makes the folder `wanted.name` in the working folder; `home` is where its last command installs to. Throws
// Error: conflict where it is there already, invalid_argument for a name that no plugin can have, not_found
// where the SDK is not installed.
PluginFolder make_plugin_folder(const NewPlugin& wanted, const std::filesystem::path& home);

}  // namespace rft::cli
