#include <algorithm>
#include <cstring>

#include "base/files.h"
#include "base/json.h"
#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "support/write_text.h"
#include "text/chat_template.h"
#include "text/safetensors_header.h"
#include "text/tokenizer.h"

namespace rft::text {
namespace {

namespace fs = std::filesystem;

const fs::path kText = fs::path(RFT_TEST_DATA_DIR) / "text";

TEST(Fuzz, TokenizerJson) {
  std::vector<std::string> samples;
  for (const char* kind : {"gpt2", "llama3", "llama2", "unigram", "wordpiece"})
    samples.push_back(parse_json(read_file(kText / kind / "tokenizer.json"), kind).dump());
  const TempDir dir;
  fuzz(samples, 1500, [&](const std::string& json) {
    write_text(dir / "tokenizer.json", json);
    const Tokenizer tokenizer = Tokenizer::load(dir.path());
    const auto ids = tokenizer.encode("It's the <|eot|> model,\n 12 naïve 🦀s", true);
    tokenizer.decode(ids, false);
    tokenizer.decode(std::vector<int64_t>{0, 1, 5, 300, 421, 4'000'000'000}, true);
  });
}

TEST(Fuzz, BpeFiles) {
  const TempDir dir;
  write_text(dir / "merges.txt", "#version: 0.2\na b\nab c\n");
  write_text(dir / "config.json", R"({"model_type": "gpt2"})");
  fuzz({R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "<|endoftext|>": 5})"}, 1500,
       [&](const std::string& json) {
         write_text(dir / "vocab.json", json);
         Tokenizer::load(dir.path()).encode("abc<|endoftext|>", true);
       });
  write_text(dir / "vocab.json", R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4})");
  fuzz({"#version: 0.2\na b\nab c\n"}, 1500, [&](const std::string& merges) {
    write_text(dir / "merges.txt", merges);
    Tokenizer::load(dir.path()).encode("abc", true);
  });
  write_text(dir / "merges.txt", "a b\nab c\n");
  fuzz({R"({"tokenizer_class": "GPT2Tokenizer", "eos_token": {"content": "<e>"}, "added_tokens_decoder":
           {"5": {"content": "<x>", "special": true, "lstrip": false}}})"},
       1500, [&](const std::string& config) {
         write_text(dir / "tokenizer_config.json", config);
         Tokenizer::load(dir.path()).encode("abc<x>", true);
       });
}

TEST(Fuzz, ChatTemplate) {
  std::vector<std::string> samples;
  for (const auto& file : fs::directory_iterator(kText / "templates"))
    samples.push_back(read_file(file.path()));
  std::ranges::sort(samples);
  const Json messages = {{{"role", "system"}, {"content", "S"}}, {{"role", "user"}, {"content", "Hello"}}};
  const TempDir dir;
  fuzz(samples, 1000, [&](const std::string& source) {
    write_text(dir / "chat_template.jinja", source);
    const auto chat_template = ChatTemplate::load(dir.path());
    try {
      chat_template->render(messages);
    } catch (const Error& error) {  // of a template that does not want these messages
      ASSERT_STRNE(error.what(), "");
    }
  });
}

TEST(Fuzz, TokenizerConfig) {
  const TempDir dir;
  fuzz({R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "chat_template":
           [{"name": "default", "template": "{{ bos_token }}"}, {"name": "tool_use", "template": "x"}]})"},
       3000, [&](const std::string& config) {
         write_text(dir / "tokenizer_config.json", config);
         if (const auto chat_template = ChatTemplate::load(dir.path()))
           chat_template->render({{{"role", "user"}, {"content", "x"}}});
       });
}

TEST(Fuzz, SafetensorsHeader) {
  std::string file =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      )";
  const uint64_t length = file.size();
  file.insert(0, 8, '\0');
  std::memcpy(file.data(), &length, 8);
  const std::string whole = file + std::string(20, '\1');
  const TempDir dir;
  const auto read = [&](const std::string& bytes) {
    for (const StoredTensor& tensor : read_safetensors_header(write_text(dir / "model.safetensors", bytes)))
      if (tensor.begin + tensor.num_bytes > bytes.size())
        throw std::logic_error("a tensor past the file's end");
  };
  fuzz({whole}, 3000, read);
  // The header alone, its length made right: what is wrong is found behind the first check.
  fuzz({file.substr(8)}, 6000, [&](const std::string& header) {
    std::string bytes(8, '\0');
    const uint64_t size = header.size();
    std::memcpy(bytes.data(), &size, 8);
    read(bytes + header + std::string(20, '\1'));
  });
}

}  // namespace
}  // namespace rft::text
