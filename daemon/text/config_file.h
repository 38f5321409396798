// The JSON files around a model: tokenizer_config.json and its like, any of which may be absent.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace rft::text {

// The object in a file; an empty one when there is no file. Throws Error(invalid_argument) that names the
// file.
inline Json read_config(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return Json::object();
  Json json = parse_json(read_file(file), file.string());
  if (!json.is_object()) throw Error(ErrorCode::invalid_argument, file.string() + ": not a JSON object");
  return json;
}

// Of a token, which stands for itself or is {"content": text, …}; null for what is neither.
inline Json content_of(const Json& token) {
  return token.is_object() ? token.value("content", Json()) : token;
}

}  // namespace rft::text
