#include "text/tokenizer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "text/bpe_files.h"
#include "text/config_file.h"
#include "text/rust_call.h"
#include "text/tokenizer_files.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

// The tokens that the files beside tokenizer.json declare, but those for padding and for classifiers, which
// no text holds.
std::vector<std::string> declared_tokens(const fs::path& model_dir) {
  std::vector<std::string> declared;
  const auto declare = [&](const Json& token) {
    const Json content = content_of(token);
    const std::string text = content.is_string() ? content.get<std::string>() : "";
    if (!text.empty()) declared.push_back(text);
  };
  for (const char* file : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json config = read_config(model_dir / file);
    for (const char* key : {"bos_token", "eos_token"}) declare(config.value(key, Json()));
    for (const char* key : {"added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"})
      for (const Json& token : config.value(key, Json::array())) declare(token);
  }
  const Json older = read_config(model_dir / "added_tokens.json");
  for (const auto& [token, id] : older.items()) declare(token);
  return declared;
}

// `transformers` adds a declared token that tokenizer.json lacks. A chat template that writes it would here
// be cut into letters.
void require_declared_tokens(const Tokenizer& tokenizer, const fs::path& model_dir) {
  for (const std::string& token : declared_tokens(model_dir)) {
    const auto id = tokenizer.token_to_id(token);
    if (id && std::ranges::count(tokenizer.encode(token, false), *id) > 0) continue;
    throw Error(ErrorCode::unsupported, model_dir.string() + " declares the token \"" + token +
                                            "\", which its tokenizer.json does not know as one; " +
                                            how_to_make_tokenizer_json(model_dir));
  }
}

uint32_t checked_id(int64_t id) {
  if (id < 0 || id > std::numeric_limits<uint32_t>::max())
    throw Error(ErrorCode::invalid_argument, "no token has the id " + std::to_string(id));
  return static_cast<uint32_t>(id);
}

}  // namespace

Tokenizer Tokenizer::load(const fs::path& model_dir) {
  const fs::path file = model_dir / "tokenizer.json";
  rft_text_tokenizer* tokenizer = nullptr;
  if (fs::exists(file)) {
    const std::string text = read_file(file);
    call(file.string(), rft_text_tokenizer_new, view(text), &tokenizer);
    Tokenizer loaded(tokenizer);
    require_declared_tokens(loaded, model_dir);
    return loaded;
  }
  if (const auto converted = tokenizer_json_of_bpe_files(model_dir)) {
    const std::string text = dump_json(*converted);
    call((model_dir / "vocab.json").string() + " and merges.txt", rft_text_tokenizer_new, view(text),
         &tokenizer);
  } else {
    throw *lack_of_tokenizer(model_dir);
  }
  return Tokenizer(tokenizer);
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  const std::string bytes = call("cannot encode", rft_text_tokenizer_encode, tokenizer_.get(), view(text),
                                 add_special_tokens ? 1 : 0);
  std::vector<int64_t> ids;
  ids.reserve(bytes.size() / sizeof(uint32_t));
  for (size_t begin = 0; begin < bytes.size(); begin += sizeof(uint32_t)) {
    uint32_t id;
    std::memcpy(&id, bytes.data() + begin, sizeof id);
    ids.push_back(id);
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<uint32_t> narrow;
  narrow.reserve(ids.size());
  for (const int64_t id : ids) narrow.push_back(checked_id(id));
  return call("cannot decode", rft_text_tokenizer_decode, tokenizer_.get(), narrow.data(), narrow.size(),
              skip_special_tokens ? 1 : 0);
}

int64_t Tokenizer::vocab_size() const { return rft_text_tokenizer_num_ids(tokenizer_.get()); }

std::optional<int64_t> Tokenizer::token_to_id(std::string_view token) const {
  const int64_t id = rft_text_tokenizer_token_to_id(tokenizer_.get(), view(token));
  return id < 0 ? std::nullopt : std::optional(id);
}

void Tokenizer::Free::operator()(rft_text_tokenizer* tokenizer) const { rft_text_tokenizer_free(tokenizer); }

}  // namespace rft::text
