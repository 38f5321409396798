#include "text/safetensors_header.h"

#include <bit>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "text/rust_call.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little, "the header's length is little-endian");
constexpr uint64_t kMaxHeaderSize = 100'000'000;  // the format's own limit

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, file.string() + ": " + why);
}

// The header's JSON text; `file_size` is set.
std::string read_header_text(const fs::path& file, uint64_t& file_size) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) throw_errno("cannot read " + file.string());
  file_size = static_cast<uint64_t>(in.tellg());
  in.seekg(0);
  uint64_t size = 0;
  char raw_size[sizeof size];
  if (file_size < sizeof size || !in.read(raw_size, sizeof size))
    refuse(file, "too short for a safetensors file");
  std::memcpy(&size, raw_size, sizeof size);
  if (size > kMaxHeaderSize)
    refuse(file, "a header of " + std::to_string(size) + " bytes; the limit is 100000000");
  if (size > file_size - sizeof size)
    refuse(file,
           "the header of " + std::to_string(size) + " bytes is longer than the file; it was cut short");
  std::string header(size, '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(size)))
    throw_errno("cannot read " + file.string());
  return header;
}

// A shard's name as the index gives it: a plain file name, or someone could point outside of the folder.
fs::path shard_path(const fs::path& index, const Json& name) {
  if (!name.is_string()) refuse(index, "weight_map: a file name is not a string");
  const fs::path path = name.get<std::string>();
  if (path.empty() || path.filename() != path || path == "." || path == "..")
    refuse(index, "weight_map: \"" + path.string() + "\" is not a plain file name");
  return index.parent_path() / path;
}

std::map<std::string, TensorLocation> read_sharded(const fs::path& index) {
  const Json json = parse_json(read_file(index), index.string());
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    refuse(index, "no object \"weight_map\"");
  std::map<fs::path, std::map<std::string, TensorEntry>> shards;
  std::map<std::string, TensorLocation> tensors;
  for (const auto& [name, shard_name] : json["weight_map"].items()) {
    const fs::path file = shard_path(index, shard_name);
    if (!shards.contains(file)) {
      auto& entries = shards[file];
      for (auto& entry : read_safetensors_header(file).tensors) entries[entry.name] = std::move(entry);
    }
    const auto& entries = shards[file];
    const auto entry = entries.find(name);
    if (entry == entries.end())
      refuse(index, "tensor \"" + name + "\" is not in " + file.filename().string());
    if (!tensors.emplace(name, TensorLocation{file, entry->second}).second)
      refuse(index, "weight_map: tensor \"" + name + "\" is there twice");
  }
  return tensors;
}

}  // namespace

SafetensorsHeader read_safetensors_header(const fs::path& file) {
  SafetensorsHeader header;
  const std::string text = read_header_text(file, header.file_size);
  const uint64_t data_begin = sizeof(uint64_t) + text.size();
  const std::string entries =
      call(file.string(), rft_text_safetensors_header, view(text), header.file_size - data_begin);
  for (const Json& entry : parse_json(entries, file.string())) {
    header.tensors.push_back({entry["name"], entry["dtype"], entry["shape"],
                              data_begin + entry["begin"].get<uint64_t>(),
                              data_begin + entry["end"].get<uint64_t>()});
  }
  return header;
}

std::map<std::string, TensorLocation> read_checkpoint_index(const fs::path& model_dir) {
  const fs::path index = model_dir / "model.safetensors.index.json";
  if (fs::exists(index)) return read_sharded(index);
  const fs::path file = model_dir / "model.safetensors";
  if (!fs::exists(file))
    throw Error(ErrorCode::not_found,
                model_dir.string() + " has no model.safetensors and no index of shards");
  std::map<std::string, TensorLocation> tensors;
  for (auto& entry : read_safetensors_header(file).tensors) {
    const std::string name = entry.name;
    tensors.emplace(name, TensorLocation{file, std::move(entry)});
  }
  return tensors;
}

}  // namespace rft::text
