// OpenAI's graders, as its fine-tuning API takes them, in the terms of [scorer]: a plugin and its options.
#pragma once

#include <map>
#include <string>

#include "base/json.h"

namespace rft::plugins {

struct TranslatedGrader {
  std::string plugin;
  Json options = Json::object();
  std::map<std::string, std::string> sources;  // Python files by their names, some plugin each
};

// Throws Error(invalid_argument) that names the key, Error(unsupported) for a type that needs a judge model.
TranslatedGrader translate_grader(const Json& grader);

}  // namespace rft::plugins
