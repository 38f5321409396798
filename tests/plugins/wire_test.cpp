#include "plugins/wire.h"

#include <gtest/gtest.h>

#include <random>

#include "plugins/support.h"

namespace rft::plugins::wire {
namespace {

std::string body_of(const std::string& frame) { return frame.substr(kHeaderBytes); }

EpisodeResult full_result() {
  EpisodeResult answer{Outcome::scored, {}};
  answer.result.score = -1.25;
  answer.result.valid = false;
  answer.result.reason = std::string("nul \0 inside", 12);
  answer.result.sub_scores = {{"a", 1}, {"b", 2}};
  return answer;
}

TEST(Wire, EpisodesAndResultsSurviveTheTrip) {
  const auto requests = testing::requests_of({"first", ""});
  const std::string frame = encode_score(requests);
  const Header header = read_header(frame);
  EXPECT_EQ(header.type, FrameType::score);
  EXPECT_EQ(header.body_bytes, frame.size() - kHeaderBytes);
  const std::string body = body_of(frame);
  const auto episodes = decode_score(body);
  ASSERT_EQ(episodes.size(), 2u);
  EXPECT_EQ(episodes[0].completion, "first");
  EXPECT_EQ(episodes[0].completion.data()[5], '\0');
  EXPECT_EQ(episodes[1].record, R"({"output":"b"})");
  EXPECT_EQ(episodes[1].completion_tokens, 4);
  EXPECT_EQ(episodes[1].generation_s, 0.5);

  const std::vector<EpisodeResult> results = {full_result(), EpisodeResult{}};
  const auto decoded = decode_scored(body_of(encode_scored(results)));
  ASSERT_EQ(decoded.size(), 2u);
  EXPECT_EQ(decoded[0].result.score, -1.25);
  EXPECT_EQ(decoded[0].result.reason, results[0].result.reason);
  EXPECT_EQ(decoded[0].result.sub_scores, results[0].result.sub_scores);
  EXPECT_FALSE(decoded[0].result.valid);
  EXPECT_EQ(decoded[1].outcome, Outcome::unwritten);
  EXPECT_FALSE(decoded[1].result.score.has_value());
}

TEST(Wire, RefusesImpossibleHeaders) {
  using testing::expect_plugin_error;
  const auto header = [](uint32_t size, uint8_t type) {
    return std::string(reinterpret_cast<const char*>(&size), 4) + static_cast<char>(type);
  };
  EXPECT_NO_THROW(read_header(header(kMaxFrameBytes, 1)));
  expect_plugin_error(PluginFailure::protocol, {"length"},
                      [&] { read_header(header(kMaxFrameBytes + 1, 1)); });
  expect_plugin_error(PluginFailure::protocol, {"length"}, [&] { read_header(header(0, 1)); });
  expect_plugin_error(PluginFailure::protocol, {"type"}, [&] { read_header(header(1, 0)); });
  expect_plugin_error(PluginFailure::protocol, {"type"}, [&] { read_header(header(1, 12)); });
}

TEST(Wire, RefusesCountsThatTheFrameCannotHold) {
  const std::string many("\xff\xff\xff\x7f", 4);
  testing::expect_plugin_error(PluginFailure::protocol, {"more items"}, [&] { decode_scored(many); });
  testing::expect_plugin_error(PluginFailure::protocol, {"more items"}, [&] { decode_converted(many); });
  testing::expect_plugin_error(PluginFailure::protocol, {"more items"}, [&] { decode_summarized(many); });
}

// What a host that went wild may answer: every cut, and many flips, are decoded or refused as a protocol
// error.
TEST(Wire, RefusesDamagedFrames) {
  const std::string body = body_of(encode_scored(std::vector<EpisodeResult>{full_result(), full_result()}));
  for (size_t size = 0; size < body.size(); ++size)
    testing::expect_plugin_error(PluginFailure::protocol, {}, [&] { decode_scored(body.substr(0, size)); });
  testing::expect_plugin_error(PluginFailure::protocol, {"after its end"},
                               [&] { decode_scored(body + "x"); });

  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = body;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      decode_scored(damaged);
    } catch (const PluginError& error) {
      ASSERT_EQ(error.kind(), PluginFailure::protocol);
    }
  }
}

}  // namespace
}  // namespace rft::plugins::wire
