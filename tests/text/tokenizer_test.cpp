#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "support/temp_dir.h"
#include "text/train_tokenizer.h"

namespace rft::text {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTexts(50,
                                      "libfoo-dev is a library, don't you know; libbar-dev is another one");

Tokenizer train(const fs::path& dir, const BpeOptions& options = {}) {
  train_bpe(kTexts, options, dir);
  return Tokenizer::load(dir);
}

ErrorCode code_of_load(const fs::path& dir, std::string* message = nullptr) {
  try {
    Tokenizer::load(dir);
  } catch (const Error& error) {
    if (message) *message = error.what();
    return error.code();
  }
  ADD_FAILURE() << "loaded " << dir;
  return ErrorCode::internal;
}

TEST(Tokenizer, TrainedOneDecodesAnyTextToItself) {
  const TempDir dir;
  const Tokenizer tokenizer = train(dir.path());
  for (const std::string text :
       {"libfoo-dev", " two  spaces ", "don't", "Ünïcödé 日本語 🦀\n\ttab", "", "\r\n", "\x01"}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true), false), text);
  }
}

TEST(Tokenizer, ATokenThatIsDeclaredButNotKnownIsRefused) {
  const Json im_end = {{"content", "<|im_end|>"}, {"special", true}};
  const std::vector<std::pair<std::string, Json>> cases = {
      {"tokenizer_config.json", {{"eos_token", im_end}}},
      {"tokenizer_config.json", {{"added_tokens_decoder", {{"900", im_end}}}}},
      {"tokenizer_config.json", {{"extra_special_tokens", {{"end", "<|im_end|>"}}}}},
      {"special_tokens_map.json", {{"additional_special_tokens", {"<|im_end|>"}}}},
      {"added_tokens.json", {{"<|im_end|>", 900}}}};
  for (const auto& [file, config] : cases) {
    const TempDir dir;
    train(dir.path());
    write_file_atomically(dir / file, dump_json(config));
    std::string message;
    EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::unsupported) << dump_json(config);
    EXPECT_NE(message.find("declares the token \"<|im_end|>\""), std::string::npos) << message;
    EXPECT_NE(message.find("save_pretrained"), std::string::npos) << message;
  }
  const TempDir dir;
  train(dir.path(), {.special_tokens = {"<|im_end|>"}});
  for (const auto& [file, config] : cases) write_file_atomically(dir / file, dump_json(config));
  EXPECT_NO_THROW(Tokenizer::load(dir.path()));
}

TEST(Tokenizer, TrainingMergesWhatIsFrequent) {
  const TempDir dir;
  const Tokenizer tokenizer = train(dir.path());
  EXPECT_LT(tokenizer.encode("libfoo-dev", false).size(), 5u);
  EXPECT_EQ(tokenizer.encode("QZXJ", false).size(), 4u);
}

TEST(Tokenizer, SpecialTokensTakeTheFirstIdsAndAreLeftOutOnDemand) {
  const TempDir dir;
  const Tokenizer tokenizer = train(dir.path(), {.special_tokens = {"<|user|>"}});
  EXPECT_EQ(tokenizer.token_to_id("<|endoftext|>"), 0);
  EXPECT_EQ(tokenizer.token_to_id("<|pad|>"), 1);
  EXPECT_EQ(tokenizer.token_to_id("<|user|>"), 2);
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  const auto ids = tokenizer.encode("<|user|>a<|endoftext|>", false);
  EXPECT_EQ(ids.front(), 2);
  EXPECT_EQ(ids.back(), 0);
  EXPECT_EQ(tokenizer.decode(ids, true), "a");
  EXPECT_EQ(tokenizer.decode(ids, false), "<|user|>a<|endoftext|>");
}

TEST(Tokenizer, VocabularySizeIsAsAskedOrWhatTheTextsGive) {
  const TempDir dir;
  EXPECT_EQ(train(dir / "small", {.vocab_size = 260}).vocab_size(), 260);
  const int64_t grown = train(dir / "large", {.vocab_size = 5000}).vocab_size();
  EXPECT_GT(grown, 260);
  EXPECT_LT(grown, 5000);
}

TEST(Tokenizer, TrainingTwiceGivesTheSameFile) {
  const TempDir dir;
  train(dir / "a");
  train(dir / "b");
  EXPECT_EQ(read_file(dir / "a/tokenizer.json"), read_file(dir / "b/tokenizer.json"));
}

TEST(Tokenizer, TrainingRefusesAVocabularySmallerThanTheBytesAndRepeatedSpecialTokens) {
  const TempDir dir;
  EXPECT_THROW(train(dir.path(), {.vocab_size = 257}), Error);
  EXPECT_THROW(train(dir.path(), {.pad_token = "<|endoftext|>"}), Error);
  EXPECT_THROW(train(dir.path(), {.pad_token = ""}), Error);
  EXPECT_FALSE(fs::exists(dir / "tokenizer.json"));
}

TEST(Tokenizer, TruncationAndPaddingOfTheFileAreDropped) {
  const TempDir dir;
  const size_t num_ids = train(dir.path()).encode("libfoo-dev is a library", false).size();
  Json json = parse_json(read_file(dir / "tokenizer.json"), "tokenizer.json");
  json["truncation"] = {
      {"direction", "Right"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}};
  json["padding"] = {{"strategy", {{"Fixed", 64}}},
                     {"direction", "Right"},
                     {"pad_to_multiple_of", nullptr},
                     {"pad_id", 1},
                     {"pad_type_id", 0},
                     {"pad_token", "<|pad|>"}};
  write_file_atomically(dir / "tokenizer.json", json.dump());
  EXPECT_EQ(Tokenizer::load(dir.path()).encode("libfoo-dev is a library", false).size(), num_ids);
}

TEST(Tokenizer, IdsThatAreNoIdsAreRefusedAndUnknownOnesBringNoText) {
  const TempDir dir;
  const Tokenizer tokenizer = train(dir.path());
  EXPECT_THROW(tokenizer.decode(std::vector<int64_t>{-1}, false), Error);
  EXPECT_THROW(tokenizer.decode(std::vector<int64_t>{int64_t{1} << 32}, false), Error);
  EXPECT_EQ(tokenizer.decode(std::vector<int64_t>{1'000'000}, false), "");
}

TEST(Tokenizer, TextThatIsNoUtf8IsRefused) {
  const TempDir dir;
  EXPECT_THROW(train(dir.path()).encode("\xff\xfe", false), Error);
}

TEST(Tokenizer, FolderWithoutATokenizerIsNotFound) {
  const TempDir dir;
  EXPECT_EQ(code_of_load(dir.path()), ErrorCode::not_found);
}

TEST(Tokenizer, AnotherFormatIsRefusedWithTheCommandThatConvertsIt) {
  const TempDir dir;
  write_file_atomically(dir / "tokenizer.model", "sentencepiece");
  std::string message;
  EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::unsupported);
  EXPECT_NE(message.find("save_pretrained('" + dir.path().string() + "')"), std::string::npos) << message;
}

TEST(Tokenizer, DamagedFileIsAnErrorThatNamesIt) {
  const TempDir dir;
  train(dir.path());
  const std::string whole = read_file(dir / "tokenizer.json");
  for (const std::string& text : {whole.substr(0, whole.size() / 2), std::string("[]"), std::string("{}"),
                                  std::string("{\"model\": {\"type\": \"Nonsense\"}}"), std::string()}) {
    write_file_atomically(dir / "tokenizer.json", text);
    std::string message;
    EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::invalid_argument);
    EXPECT_NE(message.find("tokenizer.json: "), std::string::npos) << message;
  }
}

// The vocab.json and merges.txt of a tokenizer, in a folder that does not say whose they are.
fs::path write_bpe_files(const fs::path& dir, const Json& tokenizer) {
  std::string merges = "#version: 0.2\n";
  for (const Json& merge : tokenizer["model"]["merges"])
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  fs::create_directories(dir);
  write_file_atomically(dir / "vocab.json", tokenizer["model"]["vocab"].dump());
  write_file_atomically(dir / "merges.txt", merges);
  return dir;
}

TEST(Tokenizer, Gpt2FilesGiveTheSameIdsAsTokenizerJson) {
  const TempDir dir;
  const Tokenizer modern = train(dir / "modern");
  const fs::path old =
      write_bpe_files(dir / "old", parse_json(read_file(dir / "modern/tokenizer.json"), "tokenizer.json"));
  EXPECT_EQ(code_of_load(old), ErrorCode::unsupported) << "whose files they are is not known";
  write_file_atomically(old / "config.json", R"({"model_type": "gpt2"})");
  const Tokenizer tokenizer = Tokenizer::load(old);
  for (const std::string text : {"libfoo-dev, isn't it?", "end<|endoftext|>", "日本"})
    EXPECT_EQ(tokenizer.encode(text, true), modern.encode(text, true)) << text;
}

TEST(Tokenizer, Qwen2FilesCutWordsAndComposeCharactersAsQwen2Does) {
  const TempDir dir;
  const fs::path stored = fs::path(RFT_TEST_DATA_DIR) / "text/qwen2";
  const Tokenizer modern = Tokenizer::load(stored);
  const fs::path old =
      write_bpe_files(dir / "old", parse_json(read_file(stored / "tokenizer.json"), "tokenizer.json"));
  write_file_atomically(old / "tokenizer_config.json",
                        R"({"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|eot|>", "pad_token": null,
                            "unk_token": null, "bos_token": null, "added_tokens_decoder": {
                            "420": {"content": "<|begin|>", "special": true},
                            "421": {"content": "<|eot|>", "special": true},
                            "422": {"content": "<tool>", "lstrip": true, "rstrip": true, "special": false}}})");
  const Tokenizer tokenizer = Tokenizer::load(old);
  EXPECT_EQ(tokenizer.vocab_size(), modern.vocab_size());
  for (const std::string text : {"isn't 1234567", "e\u0301", "<|begin|>a <tool> b<|eot|>", "a\r\n\n  b"})
    EXPECT_EQ(tokenizer.encode(text, true), modern.encode(text, true)) << text;
}

TEST(Tokenizer, DamagedBpeFilesAreErrorsThatNameThem) {
  const TempDir dir;
  write_file_atomically(dir / "config.json", R"({"model_type": "gpt2"})");
  write_file_atomically(dir / "merges.txt", "a b\nab\n");
  write_file_atomically(dir / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  std::string message;
  EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::invalid_argument);
  EXPECT_NE(message.find("merges.txt:2: not a pair"), std::string::npos) << message;
  write_file_atomically(dir / "merges.txt", "a c\n");
  EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::invalid_argument);
  EXPECT_NE(message.find("vocab.json and merges.txt: "), std::string::npos) << message;
  write_file_atomically(dir / "vocab.json", R"({"a": "x"})");
  EXPECT_EQ(code_of_load(dir.path(), &message), ErrorCode::invalid_argument);
  EXPECT_NE(message.find("the id of the token \"a\" is no number"), std::string::npos) << message;
}

TEST(Tokenizer, ServesManyThreadsAtOnce) {
  const TempDir dir;
  const Tokenizer tokenizer = train(dir.path());
  const auto expected = tokenizer.encode(kTexts[0], false);
  std::vector<int> num_right(4, 0);
  std::vector<std::thread> threads;
  for (int& count : num_right)
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) count += tokenizer.encode(kTexts[0], false) == expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(num_right, std::vector<int>(4, 200));
}

}  // namespace
}  // namespace rft::text
