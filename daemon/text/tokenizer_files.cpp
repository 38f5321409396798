#include "text/tokenizer_files.h"

#include "text/bpe_files.h"

namespace rft::text {
namespace fs = std::filesystem;

std::string how_to_make_tokenizer_json(const fs::path& model_dir) {
  const std::string dir = model_dir.string();
  return "make one with: python -c \"from transformers import AutoTokenizer; "
         "AutoTokenizer.from_pretrained('" +
         dir + "').save_pretrained('" + dir + "')\"";
}

std::optional<Error> lack_of_tokenizer(const fs::path& model_dir) {
  if (fs::exists(model_dir / "tokenizer.json") || tokenizer_json_of_bpe_files(model_dir)) return std::nullopt;
  for (const char* file : {"tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"}) {
    if (fs::exists(model_dir / file))
      return Error(ErrorCode::unsupported, model_dir.string() + " has no tokenizer.json, only " + file +
                                               "; " + how_to_make_tokenizer_json(model_dir));
  }
  return Error(ErrorCode::not_found, model_dir.string() + " has no tokenizer.json");
}

}  // namespace rft::text
