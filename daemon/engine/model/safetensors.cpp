#include "engine/model/safetensors.h"

#include <cstring>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace rft::engine {
namespace {

uint64_t bytes_of(const std::string& dtype) {
  static const std::map<std::string, uint64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  const auto size = sizes.find(dtype);
  if (size == sizes.end()) throw Error(ErrorCode::internal, "no tensor is stored as " + dtype);
  return size->second;
}

std::vector<WeightFile> read_index(const std::filesystem::path& index_file) {
  const Json index = parse_json(read_file(index_file), index_file.string());
  auto fail = [&](const std::string& message) {
    throw Error(ErrorCode::invalid_argument, index_file.string() + ": " + message);
  };
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object() ||
      index["weight_map"].empty())
    fail("no weight_map");
  std::map<std::string, std::set<std::string>> names_of;  // by shard
  for (const auto& [name, shard] : index["weight_map"].items()) {
    if (!shard.is_string()) fail("the shard of " + name + " is not a name");
    const auto shard_name = shard.get<std::string>();
    // A path here could reach files outside the folder.
    if (shard_name.empty() || shard_name == "." || shard_name == ".." ||
        shard_name.find('/') != std::string::npos || shard_name.find('\0') != std::string::npos)
      fail("the shard of " + name + " is not a plain file name: " + shard_name);
    names_of[shard_name].insert(name);
  }
  std::vector<WeightFile> files;
  for (auto& [shard, names] : names_of) {
    WeightFile file{index_file.parent_path() / shard, {}};
    file.tensors = read_safetensors_header(file.path);
    for (const StoredTensor& tensor : file.tensors) names.erase(tensor.name);
    if (!names.empty()) fail(*names.begin() + " is not in " + shard);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text;
}

std::string make_safetensors_header(std::span<StoredTensor> tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (StoredTensor& tensor : tensors) {
    tensor.num_bytes = bytes_of(tensor.dtype);
    for (const int64_t extent : tensor.shape) tensor.num_bytes *= static_cast<uint64_t>(extent);
    tensor.begin = offset;
    offset += tensor.num_bytes;
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, offset}}};
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  bytes += text;
  for (StoredTensor& tensor : tensors) tensor.begin += bytes.size();
  return bytes;
}

std::vector<WeightFile> list_weight_files(const std::filesystem::path& model_dir) {
  const auto single = model_dir / "model.safetensors";
  if (std::filesystem::exists(single)) return {{single, read_safetensors_header(single)}};
  const auto index = model_dir / "model.safetensors.index.json";
  if (std::filesystem::exists(index)) return read_index(index);
  std::string message = model_dir.string() + " holds no model.safetensors";
  for (const char* other : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (std::filesystem::exists(model_dir / other)) {
      message +=
          "; its pytorch_model.bin is made into one by `transformers`: "
          "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(DIR)";
      break;
    }
  }
  throw Error(ErrorCode::not_found, message);
}

}  // namespace rft::engine
