// What the reference implementations answered, as tests/data/make_text_vectors.py stored it.
#pragma once

#include <filesystem>
#include <string>

#include "base/files.h"
#include "base/json.h"

namespace rft::text {

inline std::filesystem::path data_folder() { return std::filesystem::path(RFT_TEST_DATA_DIR) / "text"; }

inline Json stored_vectors(const std::string& file) {
  return parse_json(read_file(data_folder() / file), file);
}

}  // namespace rft::text
