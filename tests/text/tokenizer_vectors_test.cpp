// The same ids and texts as the Python package `tokenizers`, for the kinds of tokenizer that families use.
#include <gtest/gtest.h>

#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/vectors.h"

namespace rft::text {
namespace {

class TokenizerVectors : public testing::TestWithParam<std::string> {
 protected:
  Json cases() const {
    for (const Json& vectors : stored_vectors("tokenizer_vectors.json"))
      if (vectors["tokenizer"] == GetParam()) return vectors["cases"];
    ADD_FAILURE() << "no vectors for " << GetParam();
    return Json::array();
  }
  const Tokenizer tokenizer_ = Tokenizer::load(data_folder() / GetParam());
};

TEST_P(TokenizerVectors, EncodesAsTheReference) {
  for (const Json& stored : cases()) {
    const auto text = stored["text"].get<std::string>();
    EXPECT_EQ(tokenizer_.encode(text, true), stored["ids"].get<std::vector<int64_t>>()) << text;
    EXPECT_EQ(tokenizer_.encode(text, false),
              stored["ids_without_special_tokens"].get<std::vector<int64_t>>())
        << text;
  }
}

TEST_P(TokenizerVectors, DecodesAsTheReference) {
  for (const Json& stored : cases()) {
    const auto ids = stored["ids"].get<std::vector<int64_t>>();
    EXPECT_EQ(tokenizer_.decode(ids, false), stored["decoded"]);
    EXPECT_EQ(tokenizer_.decode(ids, true), stored["decoded_without_special_tokens"]);
  }
}

TEST_P(TokenizerVectors, StreamedPiecesJoinToTheWholeText) {
  for (const Json& stored : cases()) {
    StreamDecoder decoder(tokenizer_, /*skip_special_tokens=*/false);
    std::string text;
    for (const int64_t id : stored["ids"].get<std::vector<int64_t>>()) text += decoder.push(id);
    text += decoder.finish();
    EXPECT_EQ(text, stored["decoded"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TokenizerVectors,
                         testing::Values("gpt2", "llama3", "qwen2", "llama2", "unigram", "wordpiece"));

}  // namespace
}  // namespace rft::text
