#include <algorithm>
#include <vector>

#include "base/error.h"
#include "control/handlers/handlers.h"
#include "engine/model/model_summary.h"

namespace rft::control {
namespace {

namespace fs = std::filesystem;

Json model_row(const fs::path& folder) {
  Json row = {{"name", folder.filename().string()}};
  try {
    const engine::ModelSummary summary = engine::check_model(folder);
    row["architecture"] = summary.architecture;
    row["family"] = summary.family;
    row["num_parameters"] = summary.num_parameters;
    row["stored_dtype"] = summary.stored_dtype;
    row["num_layers"] = summary.num_layers;
    row["hidden_size"] = summary.hidden_size;
    row["vocab_size"] = summary.vocab_size;
    row["has_tokenizer"] = summary.no_tokenizer.empty();
    row["has_chat_template"] = summary.has_chat_template;
    row["unsupported"] = summary.unsupported;
  } catch (const Error& error) {
    row["error"] = error.what();
  }
  return row;
}

}  // namespace

void handle_models(Context& context, const Call& call) {
  const fs::path folder = context.home / "models";
  std::vector<fs::path> models;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing))
    if (entry.is_directory(missing) && !entry.path().filename().string().starts_with("."))
      models.push_back(entry.path());
  std::ranges::sort(models);
  Json rows = Json::array();
  for (const fs::path& model : models) rows.push_back(model_row(model));
  call.reply({{"models", std::move(rows)}, {"folder", folder.string()}});
}

}  // namespace rft::control
