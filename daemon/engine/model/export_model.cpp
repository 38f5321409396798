#include "engine/model/export_model.h"

#include "base/error.h"
#include "base/files.h"
#include "engine/model/model_summary.h"
#include "engine/model/weight_files.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

// The names that describe a model or its tokenizer; anything else in the folder (weights, a trainer's state,
// a README that speaks of the base) is not the exported model's.
bool travels(const fs::path& file) {
  static constexpr const char* kNames[] = {"config.json",
                                           "generation_config.json",
                                           "tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "chat_template.jinja",
                                           "tokenizer.model",
                                           "vocab.json",
                                           "merges.txt"};
  for (const char* name : kNames) {
    if (file.filename() == name) return true;
  }
  return false;
}

at::ScalarType stored_type(const fs::path& base_dir) {
  const std::string dtype = check_model(base_dir).stored_dtype;
  if (dtype == "bfloat16") return at::kBFloat16;
  if (dtype == "float16") return at::kHalf;
  return at::kFloat;
}

}  // namespace

void export_model(const Decoder& decoder, const fs::path& base_dir, const fs::path& target) {
  if (fs::exists(target)) throw Error(ErrorCode::conflict, target.string() + " exists already");
  const fs::path building = target.parent_path() / (".tmp-" + target.filename().string());
  fs::remove_all(building);  // left by an export that was killed
  fs::create_directories(building);
  for (const auto& entry : fs::directory_iterator(base_dir)) {
    if (entry.is_regular_file() && travels(entry.path()))
      fs::copy_file(entry.path(), building / entry.path().filename());
  }
  decoder.save_weights(building, stored_type(base_dir), load_carried_weights(decoder.config(), base_dir));
  publish_folder(building, target);
}

}  // namespace rft::engine
