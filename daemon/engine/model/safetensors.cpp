#include "engine/model/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace rft::engine {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& message) {
  throw Error(ErrorCode::invalid_argument, file.string() + ": not a valid safetensors file: " + message);
}

uint64_t bytes_of(const std::filesystem::path& file, const std::string& dtype) {
  static const std::map<std::string, uint64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  const auto size = sizes.find(dtype);
  if (size == sizes.end()) refuse(file, "unknown dtype " + dtype);
  return size->second;
}

// nlohmann keeps the last of two equal keys in silence; two parsers that disagree about a file are a hazard.
Json parse_header(const std::filesystem::path& file, const std::string& text) {
  if (text.empty() || text[0] != '{') refuse(file, "the header does not start with {");
  std::vector<std::set<std::string>> keys;
  std::optional<std::string> repeated;
  const Json header = Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > 8) refuse(file, "the header is nested too deeply");
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
          repeated = parsed.get<std::string>();
        return true;
      },
      /*allow_exceptions=*/false);
  if (header.is_discarded() || !header.is_object()) refuse(file, "the header is not a JSON object");
  if (repeated) refuse(file, "the header gives " + *repeated + " twice");
  return header;
}

uint64_t count_of(const std::filesystem::path& file, const Json& value, const std::string& name) {
  if (!value.is_number_integer() || (value.is_number_integer() && !value.is_number_unsigned()))
    refuse(file, name + " has a shape or offset that is not a whole number from 0");
  return value.get<uint64_t>();
}

StoredTensor stored_tensor(const std::filesystem::path& file, const std::string& name, const Json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string() || !entry["shape"].is_array() ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    refuse(file, name + " is not described by dtype, shape and two data_offsets");
  StoredTensor tensor{name, entry["dtype"].get<std::string>()};
  uint64_t expected = bytes_of(file, tensor.dtype);
  for (const Json& extent : entry["shape"]) {
    const uint64_t size = count_of(file, extent, name);
    if (size > INT64_MAX || __builtin_mul_overflow(expected, size, &expected))
      refuse(file, name + " has a shape too large to count");
    tensor.shape.push_back(static_cast<int64_t>(size));
  }
  tensor.begin = count_of(file, entry["data_offsets"][0], name);
  const uint64_t end = count_of(file, entry["data_offsets"][1], name);
  if (end < tensor.begin || end - tensor.begin != expected)
    refuse(file, name + " has bytes that do not match its shape");
  tensor.num_bytes = expected;
  return tensor;
}

// Sorted by offset, each begins where the one before it ends, and the last ends with the file.
void check_layout(const std::filesystem::path& file, std::vector<StoredTensor>& tensors, uint64_t num_bytes) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.begin, a.num_bytes) < std::pair(b.begin, b.num_bytes);
  });
  uint64_t end = 0;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.begin != end) refuse(file, tensor.name + " leaves a hole or overlaps its neighbour");
    if (__builtin_add_overflow(tensor.begin, tensor.num_bytes, &end))
      refuse(file, tensor.name + " ends beyond any file");
  }
  if (end != num_bytes) {
    refuse(file, "its tensors end at byte " + std::to_string(end) + " of " + std::to_string(num_bytes) +
                     "; was the download complete?");
  }
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

std::vector<StoredTensor> read_safetensors_header(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw_errno(file.string());
  const uint64_t file_bytes = std::filesystem::file_size(file);
  uint64_t header_bytes = 0;
  if (file_bytes < 8 || !in.read(reinterpret_cast<char*>(&header_bytes), 8))
    refuse(file, "shorter than 8 bytes");
  if (header_bytes > kMaxHeaderBytes) refuse(file, "the header is longer than 100 MB");
  if (header_bytes > file_bytes - 8) refuse(file, "the header is longer than the file");
  std::string text(header_bytes, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(header_bytes))) throw_errno(file.string());
  const Json header = parse_header(file, text);
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") tensors.push_back(stored_tensor(file, name, entry));
  }
  check_layout(file, tensors, file_bytes - 8 - header_bytes);
  for (StoredTensor& tensor : tensors) tensor.begin += 8 + header_bytes;
  return tensors;
}

std::string make_safetensors_header(std::span<StoredTensor> tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (StoredTensor& tensor : tensors) {
    tensor.num_bytes = bytes_of(tensor.name, tensor.dtype);
    for (const int64_t extent : tensor.shape) tensor.num_bytes *= static_cast<uint64_t>(extent);
    tensor.begin = offset;
    offset += tensor.num_bytes;
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, offset}}};
  }
  std::string text = header.dump();
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
