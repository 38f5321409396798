// Whether a model's folder holds a tokenizer, told by the names of its files and without reading
// tokenizer.json.
//
// Threading: free functions, no shared state.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"

namespace rft::text {

// The command that makes the tokenizer.json of a folder.
std::string how_to_make_tokenizer_json(const std::filesystem::path& model_dir);

// The Error that Tokenizer::load throws for a folder without a tokenizer, nothing for one that has one.
// Throws as tokenizer_json_of_bpe_files.
std::optional<Error> lack_of_tokenizer(const std::filesystem::path& model_dir);

}  // namespace rft::text
