#include "base/json.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace rft {
namespace {

TEST(Json, RefusesNestingBeyondItsLimit) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_THROW(parse_json(deep, "input"), Error);
  const std::string allowed = std::string(64, '[') + std::string(64, ']');
  EXPECT_NO_THROW(parse_json(allowed, "input"));
}

TEST(Json, ErrorNamesWhatWasRead) {
  try {
    parse_json("{\"a\":", "train.jsonl:7");
    FAIL() << "accepted a cut object";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(std::string(error.what()).rfind("train.jsonl:7: not valid JSON: parse error at column 6: ", 0),
              0u)
        << error.what();
  }
}

TEST(Json, InvalidUtf8IsRefusedOnInputAndReplacedOnOutput) {
  EXPECT_THROW(parse_json("\"\xff\"", "input"), Error);
  EXPECT_EQ(dump_json(Json("\xff")), "\"\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace rft
