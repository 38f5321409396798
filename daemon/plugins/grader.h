// OpenAI's graders, as its fine-tuning API takes them, in the terms of [scorer]: a plugin and its options.
// Those that ask a model run the scorer `judge`, which needs the network and to be told where the model is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::plugins {

// What a grader cannot say of the models that it asks.
struct JudgeAccess {
  Json options = Json::object();     // of `judge`, such as its url
  std::vector<std::string> secrets;  // names
};

struct TranslatedGrader {
  std::string plugin;
  Json options = Json::object();
  std::map<std::string, std::string> sources;  // Python files by their names, some plugin each
  size_t num_judges = 0;                       // itself, or of a multi those that ask for the network
};

// Throws Error(invalid_argument) that names the key.
TranslatedGrader translate_grader(const Json& grader, const JudgeAccess& access = {});

}  // namespace rft::plugins
