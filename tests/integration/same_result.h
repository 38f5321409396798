// Two jobs that ended alike, bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "base/sha256.h"

namespace rft::integration {

inline void expect_same_result(const std::filesystem::path& a, const std::filesystem::path& b) {
  for (const char* file : {"model/model.safetensors", "rollouts.jsonl", "validation.jsonl"})
    EXPECT_EQ(sha256_file(a / file), sha256_file(b / file)) << file;
}

}  // namespace rft::integration
