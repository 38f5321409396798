// Secrets that plugins may be given, such as the key of an endpoint: HOME/secrets.json, which nobody but the
// daemon's user may read.
//
//   {"openai": {"url": "https://api.openai.com/v1", "headers": {"Authorization": "Bearer …"}}}
//
// A job asks for them by name, rftd.toml grants them to plugins. Their values are read anew whenever a
// plugin's process starts, and go over its socket into that process alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::plugins {

// Those of `names`, by their names; an empty object for none, without a look at the file. Throws
// Error(unsupported), with the mend and never with a word of what the file holds.
Json read_secrets(const std::filesystem::path& file, const std::vector<std::string>& names);

}  // namespace rft::plugins
