#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>

#include "base/json.h"
#include "text/vectors.h"

namespace rft::text {
namespace {

std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::vector<int64_t>& ids) {
  StreamDecoder decoder(tokenizer, /*skip_special_tokens=*/true);
  std::vector<std::string> all;
  for (const int64_t id : ids) all.push_back(decoder.push(id));
  all.push_back(decoder.finish());
  return all;
}

TEST(StreamDecoder, HoldsACharacterBackUntilItIsWhole) {
  const Tokenizer tokenizer = Tokenizer::load(data_folder() / "gpt2");
  const auto ids = tokenizer.encode("🦀", false);
  ASSERT_EQ(ids.size(), 4u) << "a crab of four byte tokens";
  EXPECT_EQ(pieces(tokenizer, ids), (std::vector<std::string>{"", "", "", "🦀", ""}));
}

TEST(StreamDecoder, CutCharacterComesOutAtTheEnd) {
  const Tokenizer tokenizer = Tokenizer::load(data_folder() / "gpt2");
  auto ids = tokenizer.encode("a🦀", false);
  ids.pop_back();
  const auto all = pieces(tokenizer, ids);
  EXPECT_EQ(all.front(), "a");
  EXPECT_EQ(all.back(), "\ufffd");
}

TEST(StreamDecoder, KeepsTheSpacesThatSingleTokensLose) {
  const Tokenizer tokenizer = Tokenizer::load(data_folder() / "llama2");
  const auto ids = tokenizer.encode("The model The model", false);
  std::string joined, one_by_one;
  for (const std::string& piece : pieces(tokenizer, ids)) joined += piece;
  for (const int64_t id : ids) one_by_one += tokenizer.decode(std::vector{id}, true);
  EXPECT_EQ(joined, "The model The model");
  EXPECT_NE(one_by_one, joined);
}

// A byte that is no UTF-8 turns the bytes before it, already out, into U+FFFDs as well.
TEST(StreamDecoder, EmitsWholeCharactersAmidInvalidBytes) {
  const Tokenizer tokenizer = Tokenizer::load(data_folder() / "llama2");
  std::vector<int64_t> ids;
  for (const char* token : {"<0xC3>", "<0xA9>", "<0xFF>", "<0xFE>", "<0x41>", "<0xC3>", "<0xA9>"})
    ids.push_back(tokenizer.token_to_id(token).value());
  ids.push_back(tokenizer.encode("The", false).back());
  std::string joined;
  for (const std::string& piece : pieces(tokenizer, ids)) {
    EXPECT_NO_THROW(Json(piece).dump()) << "a piece is not UTF-8";
    joined += piece;
  }
  EXPECT_EQ(joined.substr(0, 2), "é");
}

class StreamDecoderOfEveryKind : public testing::TestWithParam<std::string> {
 protected:
  void expect_whole_text(const std::vector<int64_t>& ids) const {
    for (const bool skip : {true, false}) {
      StreamDecoder decoder(tokenizer_, skip);
      std::string joined;
      for (const int64_t id : ids) joined += decoder.push(id);
      joined += decoder.finish();
      ASSERT_EQ(joined, tokenizer_.decode(ids, skip)) << Json(ids);
    }
  }
  const Tokenizer tokenizer_ = Tokenizer::load(data_folder() / GetParam());
};

TEST_P(StreamDecoderOfEveryKind, PiecesOfEncodedTextsJoinToTheWhole) {
  for (const Json& vectors : stored_vectors("tokenizer_vectors.json"))
    for (const Json& stored : vectors["cases"])
      expect_whole_text(tokenizer_.encode(stored["text"].get<std::string>(), true));
}

// Ids in any order, as a model may sample them. Bytes of Llama 2 that are no UTF-8 are left out: there what
// is out already can turn into U+FFFD.
TEST_P(StreamDecoderOfEveryKind, PiecesOfAnyIdsJoinToTheWhole) {
  std::mt19937 chance(3);
  std::vector<int64_t> ids_to_draw;
  for (int64_t id = 0; id < tokenizer_.vocab_size() + 2; ++id) {
    const std::string text = tokenizer_.decode(std::vector{id}, false);
    if (GetParam() != "llama2" || text.find("\ufffd") == std::string::npos) ids_to_draw.push_back(id);
  }
  for (int round = 0; round < 1000; ++round) {
    std::vector<int64_t> ids(chance() % 24);
    for (int64_t& id : ids) id = ids_to_draw[chance() % ids_to_draw.size()];
    expect_whole_text(ids);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StreamDecoderOfEveryKind,
                         testing::Values("gpt2", "llama3", "qwen2", "llama2", "unigram", "wordpiece"));

TEST(StreamDecoder, IsAsNewAfterFinish) {
  const Tokenizer tokenizer = Tokenizer::load(data_folder() / "llama2");
  const auto ids = tokenizer.encode("The model", false);
  StreamDecoder decoder(tokenizer, true);
  std::string first, second;
  for (const int64_t id : ids) first += decoder.push(id);
  first += decoder.finish();
  for (const int64_t id : ids) second += decoder.push(id);
  second += decoder.finish();
  EXPECT_EQ(first, second);
  EXPECT_EQ(first, "The model");
}

}  // namespace
}  // namespace rft::text
