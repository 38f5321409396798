#include "protocol/request.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace rft::protocol {
namespace {

// The error that decoding `bytes` raises; fails the test when there is none.
RequestError error_of(std::string_view bytes) {
  try {
    decode_request(bytes);
  } catch (const RequestError& error) {
    return error;
  }
  ADD_FAILURE() << "accepted " << bytes.substr(0, 200);
  return {ErrorCode::internal, "", "", ""};
}

TEST(Request, SurvivesEncodingAndDecoding) {
  const Request sent{"abc", "pause", {{"job", "17"}}};
  const Request received = decode_request(encode(sent));
  EXPECT_EQ(received.id, sent.id);
  EXPECT_EQ(received.verb, sent.verb);
  EXPECT_EQ(received.args, sent.args);
}

TEST(Request, ArgsMayBeLeftOutAndUnknownMembersArePassedOver) {
  const Request request = decode_request(R"({"v":1,"id":"a","verb":"ls","colour":"green"})");
  EXPECT_EQ(request.verb, "ls");
  EXPECT_EQ(request.args, Json::object());
}

TEST(Request, EachWrongMemberIsNamed) {
  EXPECT_EQ(error_of(R"({"id":"a","verb":"ls"})").field(), "v");
  EXPECT_EQ(error_of(R"({"v":"1","id":"a","verb":"ls"})").field(), "v");
  EXPECT_EQ(error_of(R"({"v":1,"verb":"ls"})").field(), "id");
  EXPECT_EQ(error_of(R"({"v":1,"id":"","verb":"ls"})").field(), "id");
  EXPECT_EQ(error_of(R"({"v":1,"id":7,"verb":"ls"})").field(), "id");
  EXPECT_EQ(error_of(R"({"v":1,"id":"a"})").field(), "verb");
  EXPECT_EQ(error_of(R"({"v":1,"id":"a","verb":["ls"]})").field(), "verb");
  EXPECT_EQ(error_of(R"({"v":1,"id":"a","verb":"ls","args":[]})").field(), "args");
}

TEST(Request, AnErrorKeepsTheIdThatCouldBeRead) {
  EXPECT_EQ(error_of(R"({"v":1,"id":"a","verb":7})").id(), "a");
  EXPECT_EQ(error_of(R"({"v":1,"id":"a)").id(), "");
  EXPECT_EQ(error_of(R"(["v"])").id(), "");
}

TEST(Request, AnotherVersionIsUnsupported) {
  const RequestError error = error_of(R"({"v":2,"id":"a","verb":"ls"})");
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_EQ(error.id(), "a");
}

TEST(Request, SizeIsBounded) {
  const std::string head = R"({"v":1,"id":"a","verb":"ls","args":{"x":")", tail = "\"}}";
  const std::string fits = head + std::string(kMaxRequestBytes - head.size() - tail.size(), 'x') + tail;
  EXPECT_EQ(fits.size(), kMaxRequestBytes);
  EXPECT_NO_THROW(decode_request(fits));
  EXPECT_EQ(error_of(fits + " ").code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error_of(R"({"v":1,"id":")" + std::string(kMaxIdBytes + 1, 'i') + R"(","verb":"ls"})").field(),
            "id");
  EXPECT_EQ(error_of(R"({"v":1,"id":"a","verb":")" + std::string(kMaxVerbBytes + 1, 'v') + R"("})").field(),
            "verb");
}

TEST(Request, DepthIsBounded) {
  error_of(R"({"v":1,"id":"a","verb":"ls","args":{"x":)" + std::string(100'000, '[') + "}}");
}

TEST(Request, IdsAreNotRepeated) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(make_request_id());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.begin()->size(), 32u);
}

}  // namespace
}  // namespace rft::protocol
