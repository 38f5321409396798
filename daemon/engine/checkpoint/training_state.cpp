#include "engine/checkpoint/training_state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "base/files.h"
#include "base/sha256.h"
#include "engine/model/weight_files.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "rftd-training-state";
constexpr int64_t kVersion = 1;

[[noreturn]] void damaged(const fs::path& file, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, file.string() + ": " + what);
}

fs::path tensor_file(const fs::path& dir, const std::string& name) { return dir / (name + ".safetensors"); }

// state.json's object, its format, version and kind checked.
Json read_index(const fs::path& dir, const std::string& kind) {
  const fs::path file = dir / "state.json";
  if (!fs::exists(file)) throw Error(ErrorCode::not_found, dir.string() + " holds no training state");
  Json index = parse_json(read_file(file), file.string());
  if (!index.is_object() || index.value("format", Json()) != kFormat) damaged(file, "is no training state");
  if (index.value("version", Json()) != kVersion) {
    throw Error(ErrorCode::unsupported, file.string() + ": version " +
                                            dump_json(index.value("version", Json())) +
                                            "; this program reads version " + std::to_string(kVersion));
  }
  if (index.value("kind", Json()) != kind) {
    damaged(file, "is of kind " + dump_json(index.value("kind", Json())) + ", not \"" + kind + "\"");
  }
  if (!index.value("numbers", Json()).is_object() || !index.value("files", Json()).is_object()) {
    damaged(file, "has no numbers or no files");
  }
  return index;
}

// The tensors of one file, its bytes checked against what state.json says of them.
std::vector<NamedTensor> read_checked(const fs::path& file, const Json& description) {
  const Json digest = description.is_object() ? description.value("sha256", Json()) : Json();
  if (!digest.is_string()) damaged(file, "state.json has no digest of it");
  if (!fs::is_regular_file(file)) damaged(file, "is missing");
  if (sha256_file(file) != digest.get<std::string>())
    damaged(file, "its bytes are not those that were saved");
  return map_tensors(file);
}

}  // namespace

void write_training_state(const fs::path& dir, const TrainingState& state) {
  const fs::path temporary = dir.string() + ".tmp";
  fs::remove_all(temporary);
  fs::create_directory(temporary);
  Json files = Json::object();
  for (const auto& [name, tensors] : state.files) {
    const fs::path file = tensor_file(temporary, name);
    write_tensors(file, tensors);
    files[name] = {{"bytes", fs::file_size(file)}, {"sha256", sha256_file(file)}};
  }
  const Json index = {{"format", kFormat},
                      {"version", kVersion},
                      {"kind", state.kind},
                      {"numbers", state.numbers},
                      {"files", files}};
  write_file_atomically(temporary / "state.json", dump_json(index, 1) + "\n");
  publish_folder(temporary, dir);
}

TrainingState read_training_state(const fs::path& dir, const std::string& kind) {
  const Json index = read_index(dir, kind);
  TrainingState state;
  state.kind = kind;
  state.numbers = index.at("numbers");
  for (const auto& [name, description] : index.at("files").items()) {
    if (name.find('/') != std::string::npos) damaged(dir / "state.json", "names a file outside its folder");
    state.files[name] = read_checked(tensor_file(dir, name), description);
  }
  return state;
}

double stored_number(const TrainingState& state, const std::string& name, const fs::path& dir) {
  const auto found = state.numbers.find(name);
  if (found == state.numbers.end() || !found->is_number()) {
    damaged(dir / "state.json", "has no number \"" + name + "\"");
  }
  return found->get<double>();
}

std::vector<at::Tensor> stored_tensors(const TrainingState& state, const std::string& file,
                                       const std::vector<NamedTensor>& wanted, const fs::path& dir) {
  const fs::path path = tensor_file(dir, file);
  const auto found = state.files.find(file);
  if (found == state.files.end()) damaged(path, "is missing");
  std::map<std::string, at::Tensor> by_name;
  for (const NamedTensor& stored : found->second) by_name[stored.name] = stored.tensor;
  if (by_name.size() != wanted.size()) {
    damaged(path, "holds " + std::to_string(by_name.size()) + " tensors, the model has " +
                      std::to_string(wanted.size()));
  }
  std::vector<at::Tensor> tensors;
  for (const NamedTensor& named : wanted) {
    const auto tensor = by_name.find(named.name);
    if (tensor == by_name.end()) damaged(path, "has no tensor \"" + named.name + "\"");
    if (tensor->second.sizes() != named.tensor.sizes() || tensor->second.scalar_type() != at::kFloat) {
      damaged(path, "\"" + named.name + "\" has another shape than the model's");
    }
    tensors.push_back(tensor->second);
  }
  return tensors;
}

std::vector<NamedTensor> named_like(const std::vector<NamedTensor>& names,
                                    const std::vector<at::Tensor>& tensors) {
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < names.size(); ++i) named.push_back({names[i].name, tensors[i]});
  return named;
}

void copy_into(const std::vector<NamedTensor>& target, const std::vector<at::Tensor>& source) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < target.size(); ++i) at::Tensor(target[i].tensor).copy_(source[i]);
}

}  // namespace rft::engine
