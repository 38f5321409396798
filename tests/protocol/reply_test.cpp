#include "protocol/reply.h"

#include <gtest/gtest.h>

namespace rft::protocol {
namespace {

TEST(Reply, SuccessCarriesItsResult) {
  const Reply reply = decode_reply(encode(success("a", {{"job", 17}})));
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.id, "a");
  EXPECT_EQ(reply.result, Json({{"job", 17}}));
}

TEST(Reply, FailureCarriesCodeMessageAndField) {
  const Reply reply = decode_reply(encode(failure("a", Error(ErrorCode::not_found, "no job 17", "job"))));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error->code(), ErrorCode::not_found);
  EXPECT_STREQ(reply.error->what(), "no job 17");
  EXPECT_EQ(reply.error->field(), "job");
}

TEST(Reply, AnUnknownErrorCodeIsReadAsInternal) {
  const Reply reply =
      decode_reply(R"({"v":1,"id":"a","ok":false,"error":{"code":"from_the_future","message":"m"}})");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error->code(), ErrorCode::internal);
}

TEST(Reply, OtherBytesAreRefused) {
  EXPECT_THROW(decode_reply("[]"), Error);
  EXPECT_THROW(decode_reply(R"({"v":1,"id":"a"})"), Error);
  EXPECT_THROW(decode_reply(R"({"v":1,"id":"a","ok":false,"error":"no"})"), Error);
  EXPECT_THROW(decode_reply(R"({"v":2,"id":"a","ok":true,"result":{}})"), Error);
}

TEST(Reply, TextThatIsNoUtf8StillTravels) {
  const Reply reply = decode_reply(encode(success("a", {{"text", "caf\xe9"}})));
  EXPECT_EQ(reply.result["text"], "caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace rft::protocol
