#include "text/safetensors_header.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"

namespace rft::text {
namespace {

std::string with_length(const std::string& header, uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header;
}

std::string safetensors(const std::string& header, size_t data_size) {
  return with_length(header, header.size()) + std::string(data_size, '\1');
}

std::vector<StoredTensor> read(const std::string& bytes) {
  const TempDir dir;
  write_file_atomically(dir / "model.safetensors", bytes);
  return read_safetensors_header(dir / "model.safetensors");
}

// The error that reading these bytes throws; empty when it throws none.
std::string refusal(const std::string& bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("model.safetensors: not a valid safetensors file: "),
              std::string::npos)
        << error.what();
    return error.what();
  }
  return {};
}

#define EXPECT_REFUSED(bytes, why) EXPECT_NE(refusal(bytes).find(why), std::string::npos) << refusal(bytes)

constexpr const char* kTwoTensors = R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
                                    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )";

TEST(SafetensorsHeader, TellsTensorsInTheOrderOfTheirBytes) {
  const auto tensors = read(safetensors(kTwoTensors, 20));
  const uint64_t data = 8 + std::strlen(kTwoTensors);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].dtype, "F32");
  EXPECT_EQ(tensors[0].shape, std::vector<int64_t>{2});
  EXPECT_EQ(tensors[0].begin, data);
  EXPECT_EQ(tensors[0].num_bytes, 8u);
  EXPECT_EQ(tensors[1].name, "b");
  EXPECT_EQ(tensors[1].dtype, "BF16");
  EXPECT_EQ(tensors[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensors[1].begin, data + 8);
  EXPECT_EQ(tensors[1].num_bytes, 12u);
}

TEST(SafetensorsHeader, ScalarsAndEmptyTensorsAreLegal) {
  const auto tensors = read(safetensors(R"({"empty":{"dtype":"F32","shape":[0,4],"data_offsets":[4,4]},)"
                                        R"("scalar":{"dtype":"I32","shape":[],"data_offsets":[0,4]}})",
                                        4));
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].shape.size(), 0u);
  EXPECT_EQ(tensors[1].num_bytes, 0u);
  EXPECT_TRUE(read(safetensors("{}", 0)).empty());
}

TEST(SafetensorsHeader, HolesAndOverlapsAreRefused) {
  const std::string hole = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})";
  EXPECT_REFUSED(safetensors(hole, 9), "`b`");
  const std::string overlap = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})";
  EXPECT_REFUSED(safetensors(overlap, 7), "`b`");
  EXPECT_REFUSED(safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5), "`a`");
  EXPECT_REFUSED(safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4), "`a`");
}

TEST(SafetensorsHeader, FilesThatEndBeforeOrAfterTheirTensorsAreRefused) {
  EXPECT_REFUSED(safetensors(kTwoTensors, 19), "the tensors take 20 bytes, but 19 follow");
  EXPECT_REFUSED(safetensors(kTwoTensors, 21), "the tensors take 20 bytes, but 21 follow");
}

TEST(SafetensorsHeader, SizesMustFollowFromShapeAndDtype) {
  EXPECT_NE(refusal(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4)), "");
  const std::string overflow =
      R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})";
  EXPECT_NE(refusal(safetensors(overflow, 0)), "");
  const std::string uncountable =
      R"({"a":{"dtype":"F32","shape":[0,9223372036854775808],"data_offsets":[0,0]}})";
  EXPECT_REFUSED(safetensors(uncountable, 0), "a shape too large to count");
  EXPECT_NE(refusal(safetensors(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", 0)), "");
}

TEST(SafetensorsHeader, RepeatedKeysAreRefused) {
  const std::string twice = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  EXPECT_REFUSED(safetensors(twice, 4), "the key \"a\" is there twice");
  EXPECT_REFUSED(safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0), "there twice");
  EXPECT_REFUSED(safetensors(R"({"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 4),
                 "duplicate field");
}

TEST(SafetensorsHeader, HeadersThatAreNoHeadersAreRefused) {
  EXPECT_REFUSED("", "shorter than 8 bytes");
  EXPECT_REFUSED("1234567", "shorter than 8 bytes");
  EXPECT_REFUSED(with_length("{}", 3), "longer than the file");
  EXPECT_REFUSED(with_length("{}", ~uint64_t{0}), "the limit is 100000000");
  EXPECT_REFUSED(with_length("{}", 100'000'001), "the limit is 100000000");
  EXPECT_REFUSED(safetensors(" {}", 0), "does not start with '{'");
  EXPECT_REFUSED(safetensors("", 0), "does not start with '{'");
  EXPECT_REFUSED(safetensors("{\"\xff\":1}", 0), "UTF-8");
  EXPECT_NE(refusal(safetensors("{\"a\":", 0)), "");
  EXPECT_NE(refusal(safetensors("{}{}", 0)), "");
  EXPECT_REFUSED(safetensors(R"({"a":{"dtype":"F99","shape":[],"data_offsets":[0,4]}})", 4), "F99");
  EXPECT_REFUSED(safetensors(R"({"a":{"dtype":"F32","shape":[]}})", 4), "data_offsets");
  EXPECT_NE(refusal(safetensors(R"({"__metadata__":{"format":1}})", 0)), "");
}

TEST(SafetensorsHeader, MissingFileIsAnIoError) {
  try {
    read_safetensors_header("/nonexistent/model.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
  }
}

}  // namespace
}  // namespace rft::text
