#include "text/bpe_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "text/config_file.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

constexpr const char* kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

int64_t id_of(const Json& id, const std::string& token) {
  const std::string digits = id.is_string() ? id.get<std::string>() : dump_json(id);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw Error(ErrorCode::invalid_argument, "the id of the token \"" + token + "\" is no number: " + digits);
  return number;
}

enum class Family { gpt2, qwen2 };

std::optional<Family> family_of(const fs::path& model_dir, const Json& config) {
  const std::map<Json, Family> families = {
      {"GPT2Tokenizer", Family::gpt2},   {"GPT2TokenizerFast", Family::gpt2},   {"gpt2", Family::gpt2},
      {"Qwen2Tokenizer", Family::qwen2}, {"Qwen2TokenizerFast", Family::qwen2}, {"qwen2", Family::qwen2},
      {"qwen3", Family::qwen2}};
  const Json name = config.contains("tokenizer_class")
                        ? config["tokenizer_class"]
                        : read_config(model_dir / "config.json").value("model_type", Json());
  const auto family = families.find(name);
  return family == families.end() ? std::nullopt : std::optional(family->second);
}

Json read_merges(const fs::path& file) {
  Json merges = Json::array();
  std::istringstream lines(read_file(file));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with("#version")) continue;
    const auto space = line.find(' ');
    if (space == std::string::npos)
      throw Error(ErrorCode::invalid_argument,
                  file.string() + ":" + std::to_string(number) + ": not a pair: \"" + line + "\"");
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return merges;
}

// The added tokens by id; one that neither the vocabulary nor the configuration gives an id comes after all.
class AddedTokens {
 public:
  explicit AddedTokens(const Json& vocabulary) : vocabulary_(vocabulary) {
    for (const auto& [token, id] : vocabulary.items()) next_id_ = std::max(next_id_, id_of(id, token) + 1);
  }

  void add(const Json& token, int64_t id) {
    const Json content = content_of(token);
    if (!content.is_string() || content.get<std::string>().empty() ||
        std::ranges::count(contents_, content) > 0)
      return;
    Json entry = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                  {"rstrip", false}, {"normalized", false}, {"special", true}};
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"})
      if (token.is_object() && token.contains(flag)) entry[flag] = token[flag];
    contents_.push_back(content);
    tokens_[id] = entry;
    next_id_ = std::max(next_id_, id + 1);
  }
  void add_special(const Json& token) {
    const Json content = content_of(token);
    const auto known = content.is_string() ? vocabulary_.find(content.get<std::string>()) : vocabulary_.end();
    add(token, known == vocabulary_.end() ? next_id_ : id_of(*known, content.get<std::string>()));
  }
  Json in_order() const {
    Json all = Json::array();
    for (const auto& [id, token] : tokens_) all.push_back(token);
    return all;
  }

 private:
  const Json& vocabulary_;
  int64_t next_id_ = 0;
  std::vector<Json> contents_;
  std::map<int64_t, Json> tokens_;
};

Json added_tokens(const fs::path& model_dir, const Json& config, const Json& vocabulary) {
  AddedTokens tokens(vocabulary);
  const Json named = config.value("added_tokens_decoder", Json::object());
  for (const auto& [id, token] : named.items()) tokens.add(token, id_of(id, dump_json(content_of(token))));
  const Json older = read_config(model_dir / "added_tokens.json");
  for (const auto& [token, id] : older.items())
    tokens.add({{"content", token}, {"special", false}, {"normalized", true}}, id_of(id, token));
  for (const char* name : {"bos_token", "eos_token", "unk_token"})
    tokens.add_special(config.value(name, Json("<|endoftext|>")));
  tokens.add_special(config.value("pad_token", Json()));
  return tokens.in_order();
}

Json byte_level(bool cuts_words) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", cuts_words}};
}

Json pre_tokenizer(Family family) {
  if (family == Family::gpt2) return byte_level(true);
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kQwen2Split}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}};
}

}  // namespace

std::optional<Json> tokenizer_json_of_bpe_files(const fs::path& model_dir) {
  const fs::path vocabulary_file = model_dir / "vocab.json";
  const fs::path merges_file = model_dir / "merges.txt";
  if (!fs::exists(vocabulary_file) || !fs::exists(merges_file)) return std::nullopt;
  const Json config = read_config(model_dir / "tokenizer_config.json");
  const auto family = family_of(model_dir, config);
  if (!family) return std::nullopt;
  const Json vocabulary = read_config(vocabulary_file);
  return Json{{"version", "1.0"},
              {"added_tokens", added_tokens(model_dir, config, vocabulary)},
              {"normalizer", *family == Family::qwen2 ? Json{{"type", "NFC"}} : Json()},
              {"pre_tokenizer", pre_tokenizer(*family)},
              {"post_processor", nullptr},
              {"decoder", byte_level(true)},
              {"model",
               {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", ""},
                {"end_of_word_suffix", ""},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"vocab", vocabulary},
                {"merges", read_merges(merges_file)}}}};
}

}  // namespace rft::text
