#include "text/train_tokenizer.h"

#include "base/files.h"
#include "base/json.h"
#include "text/rust_call.h"

namespace rft::text {
namespace {

std::vector<rft_text_view> views(std::span<const std::string> texts) {
  std::vector<rft_text_view> all;
  all.reserve(texts.size());
  for (const std::string& text : texts) all.push_back(view(text));
  return all;
}

}  // namespace

void train_bpe(std::span<const std::string> texts, const BpeOptions& options,
               const std::filesystem::path& model_dir) {
  if (options.vocab_size < 0) throw Error(ErrorCode::invalid_argument, "a vocabulary size below 0");
  std::vector<std::string> special = {options.eos_token, options.pad_token};
  special.insert(special.end(), options.special_tokens.begin(), options.special_tokens.end());
  const auto text_views = views(texts);
  const auto special_views = views(special);
  const std::string tokenizer =
      call("cannot train a tokenizer", rft_text_train_bpe, text_views.data(), text_views.size(),
           static_cast<uint64_t>(options.vocab_size), special_views.data(), special_views.size());

  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"eos_token", options.eos_token},
                 {"pad_token", options.pad_token},
                 {"clean_up_tokenization_spaces", false}};
  if (!options.special_tokens.empty()) config["additional_special_tokens"] = options.special_tokens;
  std::filesystem::create_directories(model_dir);
  write_file_atomically(model_dir / "tokenizer.json", tokenizer);
  write_file_atomically(model_dir / "tokenizer_config.json", dump_json(config, 2) + "\n");
}

}  // namespace rft::text
