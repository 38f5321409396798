#include "engine/model/model_summary.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "engine/model/safetensors.h"
#include "text/tokenizer_files.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

std::string dtype_name(const std::string& stored) {
  static const std::map<std::string, std::string> names = {
      {"F32", "float32"}, {"BF16", "bfloat16"}, {"F16", "float16"}};
  const auto name = names.find(stored);
  return name == names.end() ? stored : name->second;
}

bool has_chat_template(const fs::path& dir) {
  if (fs::exists(dir / "chat_template.jinja")) return true;
  const fs::path file = dir / "tokenizer_config.json";
  if (!fs::exists(file)) return false;
  const Json config = parse_json(read_file(file), file.string());
  return config.is_object() && config.contains("chat_template") && !config.at("chat_template").is_null();
}

std::string why_no_tokenizer(const fs::path& dir) {
  const auto error = text::lack_of_tokenizer(dir);
  return error ? error->what() : "";
}

struct Found {
  const fs::path& file;
  const StoredTensor& tensor;
};

bool hold_the_same(const Found& one, const Found& other) {
  if (one.tensor.dtype != other.tensor.dtype || one.tensor.shape != other.tensor.shape) return false;
  std::ifstream a(one.file, std::ios::binary), b(other.file, std::ios::binary);
  a.seekg(static_cast<std::streamoff>(one.tensor.begin));
  b.seekg(static_cast<std::streamoff>(other.tensor.begin));
  constexpr uint64_t kChunk = 1 << 20;
  std::vector<char> of_a(kChunk), of_b(kChunk);
  for (uint64_t left = one.tensor.num_bytes, size; left > 0; left -= size) {
    size = std::min(left, kChunk);
    a.read(of_a.data(), static_cast<std::streamsize>(size));
    b.read(of_b.data(), static_cast<std::streamsize>(size));
    if (!a || !b) throw Error(ErrorCode::io, "cannot read " + (a ? other : one).file.string());
    if (std::memcmp(of_a.data(), of_b.data(), size) != 0) return false;
  }
  return true;
}

}  // namespace

bool is_carried_weight(const ModelConfig& config, const std::string& name) {
  return std::ranges::any_of(config.names.carried_prefixes,
                             [&](const std::string& prefix) { return name.starts_with(prefix); });
}

bool is_ignored_weight(const ModelConfig& config, const std::string& name) {
  if (is_carried_weight(config, name)) return true;
  const auto ends_name = [&](const std::string& ending) { return name.ends_with(ending); };
  return std::ranges::any_of(config.names.ignored_endings, ends_name) ||
         (config.tie_word_embeddings && name == config.names.head + ".weight");
}

std::vector<std::string> check_weights(const ModelConfig& config, const std::vector<WeightFile>& files) {
  std::vector<std::string> unsupported;
  std::map<std::string, Found> stored;
  for (const WeightFile& file : files) {
    for (const StoredTensor& tensor : file.tensors) {
      if (!stored.emplace(tensor.name, Found{file.path, tensor}).second)
        throw Error(ErrorCode::invalid_argument,
                    file.path.string() + ": " + tensor.name + " is in two shards");
    }
  }
  // `transformers` ties a head only where the weights hold none, or the embedding's copy.
  const auto head = stored.find(config.names.head + ".weight");
  const auto embedding = stored.find(config.names.prefix + config.names.embedding + ".weight");
  if (config.tie_word_embeddings && head != stored.end() && embedding != stored.end() &&
      !hold_the_same(head->second, embedding->second)) {
    unsupported.push_back("tie_word_embeddings = true, where " + head->first + " is not " + embedding->first +
                          " (false uses it)");
  }
  for (const WeightSpec& weight : expected_weights(config)) {
    const auto found = stored.find(weight.name);
    if (found == stored.end()) {
      throw Error(ErrorCode::invalid_argument,
                  "the weights hold no " + weight.name + ", which config.json asks for");
    }
    const StoredTensor& tensor = found->second.tensor;
    if (const std::vector<int64_t> shape = weight.stored_shape(); tensor.shape != shape) {
      throw Error(ErrorCode::invalid_argument, weight.name + " is " + shape_text(tensor.shape) +
                                                   " where config.json asks for " + shape_text(shape));
    }
    if (tensor.dtype != "F32" && tensor.dtype != "BF16" && tensor.dtype != "F16")
      unsupported.push_back("a weight of dtype " + tensor.dtype + ": " + tensor.name);
    stored.erase(found);
  }
  for (const auto& [name, found] : stored) {
    if (!is_ignored_weight(config, name))
      unsupported.push_back("a weight that config.json does not ask for: " + name);
  }
  return unsupported;
}

ModelSummary check_model(const fs::path& model_dir) {
  ParsedModelConfig parsed = read_model_config(model_dir);
  const ModelConfig& config = parsed.config;
  ModelSummary summary{.dir = model_dir,
                       .architecture = config.architecture,
                       .family = config.family,
                       .num_layers = config.num_layers,
                       .hidden_size = config.hidden_size,
                       .vocab_size = config.vocab_size,
                       .max_positions = config.max_positions,
                       .eos_token_ids = config.eos_token_ids,
                       .no_tokenizer = why_no_tokenizer(model_dir),
                       .has_chat_template = has_chat_template(model_dir),
                       .unsupported = std::move(parsed.unsupported)};
  const std::vector<WeightFile> files = list_weight_files(model_dir);
  std::set<std::string> dtypes;
  for (const WeightFile& file : files) {
    for (const StoredTensor& tensor : file.tensors) {
      if (is_ignored_weight(config, tensor.name)) continue;
      summary.num_parameters += element_count(tensor.shape);
      dtypes.insert(dtype_name(tensor.dtype));
    }
  }
  summary.stored_dtype = dtypes.size() == 1 ? *dtypes.begin() : "mixed";
  // A family that is unknown has weights of unknown names.
  if (config.num_layers > 0) {
    for (std::string& reason : check_weights(config, files)) summary.unsupported.push_back(std::move(reason));
  }
  return summary;
}

}  // namespace rft::engine
