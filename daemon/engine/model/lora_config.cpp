#include "engine/model/lora_config.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/nearest.h"
#include "engine/model/safetensors.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAllLinear = "all-linear";
constexpr std::string_view kWeight = ".weight";

// Every linear of the layers: their weights of two dimensions.
std::vector<LinearSpec> layer_linears(const ModelConfig& config) {
  std::vector<LinearSpec> linears;
  for (const WeightSpec& weight : expected_weights(config)) {
    if (weight.shape.size() != 2 || !weight.name.starts_with(config.names.prefix + config.names.layers))
      continue;
    linears.push_back(
        {weight.name.substr(0, weight.name.size() - kWeight.size()), weight.shape[0], weight.shape[1]});
  }
  return linears;
}

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

std::string module_key(const WeightNames& names, const std::string& linear) {
  const bool renamed = !names.module_prefix.empty() && linear.starts_with(names.prefix);
  return "base_model.model." + (renamed ? names.module_prefix + linear.substr(names.prefix.size()) : linear);
}

// PEFT's rule.
bool is_named(const std::string& linear, const std::string& target) {
  return target == kAllLinear || linear == target || linear.ends_with("." + target);
}

std::vector<std::string> last_parts(const std::vector<LinearSpec>& linears) {
  std::vector<std::string> parts;
  for (const LinearSpec& linear : linears) {
    const std::string part = last_part(linear.name);
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  }
  return parts;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// The shortest targets that name these linears and no others.
std::vector<std::string> targets_of(const std::vector<LinearSpec>& linears, const ModelConfig& config) {
  const std::vector<std::string> parts = last_parts(linears);
  if (find_linears(config, parts).size() == linears.size()) return parts;
  std::vector<std::string> names;
  names.reserve(linears.size());
  for (const LinearSpec& linear : linears) names.push_back(linear.name);
  return names;
}

// Null, false, or nothing in it.
bool is_off(const Json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

constexpr const char* kKeysRead[] = {"peft_type",  "r",    "lora_alpha",
                                     "use_rslora", "bias", "init_lora_weights"};
// Those that change nothing of what a trained adapter computes; which modules have one, the tensors tell.
constexpr const char* kHarmlessKeys[] = {
    "task_type",      "auto_mapping",      "peft_version",       "base_model_name_or_path",
    "revision",       "inference_mode",    "target_modules",     "exclude_modules",
    "lora_dropout",   "fan_in_fan_out",    "megatron_core",      "layers_to_transform",
    "layers_pattern", "loftq_config",      "eva_config",         "corda_config",
    "lora_ga_config", "qalora_group_size", "ensure_weight_tying"};

// What an adapter may hold or mean beside B·A, under a key that does not exist yet as well.
void refuse_unsupported(const Json& json, const fs::path& file) {
  const auto refuse = [&](const std::string& key, const Json& value) {
    throw Error(ErrorCode::unsupported,
                file.string() + ": " + key + " = " + dump_json(value) + " is not supported");
  };
  if (const Json type = json.value("peft_type", Json()); type != "LORA") refuse("peft_type", type);
  if (const Json bias = json.value("bias", Json("none")); bias != "none") refuse("bias", bias);
  for (const auto& [key, value] : json.items()) {
    const bool is_known = std::ranges::count(kKeysRead, key) + std::ranges::count(kHarmlessKeys, key) > 0;
    if (!is_known && !is_off(value)) refuse(key, value);
  }
  // The others change the weights of the base as well.
  const Json start = json.value("init_lora_weights", Json(true));
  if (!start.is_boolean() && start != "gaussian" && start != "eva" && start != "orthogonal")
    refuse("init_lora_weights", start);
}

LoraConfig parse_adapter_config(const fs::path& file) {
  if (!fs::exists(file)) {
    throw Error(ErrorCode::not_found,
                file.parent_path().string() + " holds no adapter_config.json: a PEFT adapter is needed");
  }
  const Json json = parse_json(read_file(file), file.string());
  if (!json.is_object()) throw Error(ErrorCode::invalid_argument, file.string() + ": not a JSON object");
  refuse_unsupported(json, file);
  const Json rank = json.value("r", Json()), alpha = json.value("lora_alpha", Json());
  const Json rslora = json.value("use_rslora", Json(false));
  if (!rank.is_number_integer() || rank <= 0 || !alpha.is_number() || !rslora.is_boolean()) {
    throw Error(
        ErrorCode::invalid_argument,
        file.string() + ": r must be a positive integer, lora_alpha a number and use_rslora a boolean");
  }
  return {.rank = rank, .alpha = alpha, .rslora = rslora, .targets = {}};
}

// One factor out of `stored`, which then holds the rest.
void take_factor(std::map<std::string, StoredTensor>& stored, const fs::path& file, const std::string& key,
                 const std::vector<int64_t>& shape) {
  const auto found = stored.find(key);
  if (found == stored.end()) throw Error(ErrorCode::invalid_argument, file.string() + " holds no " + key);
  const StoredTensor& tensor = found->second;
  if (tensor.shape != shape) {
    throw Error(ErrorCode::invalid_argument, file.string() + ": " + key + " is " + shape_text(tensor.shape) +
                                                 " where this model and rank ask for " + shape_text(shape));
  }
  if (tensor.dtype != "F32" && tensor.dtype != "BF16" && tensor.dtype != "F16")
    throw Error(ErrorCode::unsupported, file.string() + ": " + key + " is of dtype " + tensor.dtype);
  stored.erase(found);
}

}  // namespace

double LoraConfig::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (rslora ? std::sqrt(r) : r);
}

std::vector<LinearSpec> find_linears(const ModelConfig& config, const std::vector<std::string>& targets) {
  const std::vector<LinearSpec> all = layer_linears(config);
  std::vector<LinearSpec> found;
  std::set<std::string> used;
  for (const LinearSpec& linear : all) {
    bool wanted = false;
    for (const std::string& target : targets) {
      if (!is_named(linear.name, target)) continue;
      used.insert(target);
      wanted = true;
    }
    if (wanted) found.push_back(linear);
  }
  for (const std::string& target : targets) {
    if (used.contains(target)) continue;
    const std::vector<std::string> known = last_parts(all);
    throw Error(ErrorCode::invalid_argument,
                "\"" + target + "\" names no linear of this model's layers, which are " + joined(known) +
                    " (\"" + kAllLinear + "\": all of them)" + did_you_mean(target, known),
                "targets");
  }
  return found;
}

std::string lora_a_key(const WeightNames& names, const std::string& linear) {
  return module_key(names, linear) + ".lora_A.weight";
}

std::string lora_b_key(const WeightNames& names, const std::string& linear) {
  return module_key(names, linear) + ".lora_B.weight";
}

LoraConfig check_adapter(const fs::path& dir, const ModelConfig& config) {
  LoraConfig lora = parse_adapter_config(dir / "adapter_config.json");
  const fs::path file = dir / "adapter_model.safetensors";
  if (!fs::exists(file))
    throw Error(ErrorCode::not_found, dir.string() + " holds no adapter_model.safetensors");
  std::map<std::string, StoredTensor> stored;
  for (const StoredTensor& tensor : read_safetensors_header(file)) stored[tensor.name] = tensor;
  std::vector<LinearSpec> adapted;
  for (const LinearSpec& linear : layer_linears(config)) {
    const std::string a = lora_a_key(config.names, linear.name);
    if (!stored.contains(a)) continue;
    take_factor(stored, file, a, {lora.rank, linear.in});
    take_factor(stored, file, lora_b_key(config.names, linear.name), {linear.out, lora.rank});
    adapted.push_back(linear);
  }
  if (!stored.empty()) {
    throw Error(ErrorCode::invalid_argument, file.string() + ": " + stored.begin()->first +
                                                 " belongs to no linear of this model's layers");
  }
  if (adapted.empty()) throw Error(ErrorCode::invalid_argument, file.string() + " holds no adapter");
  lora.targets = targets_of(adapted, config);
  return lora;
}

Json to_adapter_config_json(const LoraConfig& lora, const ModelConfig& config, const std::string& base) {
  const bool whole = lora.alpha == std::floor(lora.alpha);
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", base},
          {"r", lora.rank},
          {"lora_alpha", whole ? Json(static_cast<int64_t>(lora.alpha)) : Json(lora.alpha)},
          {"use_rslora", lora.rslora},
          {"target_modules", targets_of(find_linears(config, lora.targets), config)},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"fan_in_fan_out", config.names.matrices_are_transposed},
          {"init_lora_weights", true},
          {"inference_mode", true}};
}

}  // namespace rft::engine
