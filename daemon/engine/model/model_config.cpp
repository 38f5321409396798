#include "engine/model/model_config.h"

#include <set>

#include "base/error.h"
#include "base/files.h"
#include "engine/model/config_reader.h"
#include "engine/model/families/families.h"
#include "engine/model/safetensors.h"

namespace rft::engine {
namespace {

// One id, a list of ids, or none.
std::vector<int64_t> token_ids(const ConfigReader& json) {
  const Json& value = json.at("eos_token_id");
  std::vector<int64_t> ids;
  if (value.is_null()) return ids;
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer()) json.refuse("eos_token_id is neither an integer nor a list of them");
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void check_shapes(const ConfigReader& json, const ModelConfig& config) {
  for (const auto& [name, value] :
       {std::pair{"vocab_size", config.vocab_size}, std::pair{"hidden_size", config.hidden_size},
        std::pair{"intermediate_size", config.intermediate_size},
        std::pair{"num_hidden_layers", config.num_layers}, std::pair{"num_attention_heads", config.num_heads},
        std::pair{"num_key_value_heads", config.num_kv_heads}, std::pair{"head_dim", config.head_dim},
        std::pair{"max_position_embeddings", config.max_positions}}) {
    // The bound keeps products of two of them far from overflow; no model is near it.
    if (value <= 0 || value > (int64_t{1} << 28)) json.refuse(std::string(name) + " is out of range");
  }
  if (config.num_heads % config.num_kv_heads != 0)
    json.refuse("num_attention_heads is not a multiple of num_key_value_heads");
  if (config.head_dim % 2 != 0) json.refuse("head_dim is odd, which rotary embeddings cannot be");
  if (config.norm_eps <= 0) json.refuse("rms_norm_eps must be positive");
}

std::string architecture_of(const ConfigReader& json) {
  if (!json.has("architectures") || json.texts("architectures").empty())
    json.refuse("the key architectures is missing");
  return json.texts("architectures")[0];
}

// What `transformers` reads of every family, outside of its own file; of the text part of a model too.
void refuse_general_switches(const ConfigReader& json) {
  json.only("is_causal", true);
  json.only("per_layer_config", nullptr);
  if (json.has("text_config")) refuse_general_switches(json.object("text_config"));
}

// Takes the prefix that the folder's weights have.
void find_prefix(const std::filesystem::path& model_dir, WeightNames& names) {
  std::set<std::string> stored;
  for (const WeightFile& file : list_weight_files(model_dir))
    for (const StoredTensor& tensor : file.tensors) stored.insert(tensor.name);
  for (const std::string& prefix : names.other_prefixes) {
    if (!stored.contains(prefix + names.embedding + ".weight")) continue;
    names.module_prefix = names.prefix;
    names.prefix = prefix;
    return;
  }
}

}  // namespace

ParsedModelConfig parse_model_config(const Json& object, const Json& generation_config) {
  ParsedModelConfig parsed;
  ModelConfig& config = parsed.config;
  const ConfigReader json(object, parsed.unsupported);
  config.architecture = architecture_of(json);
  const Family* family = find_family(config.architecture);
  if (family == nullptr) {
    // Another family's keys mean other things: nothing more can be said about it.
    parsed.unsupported.push_back("architectures = " + config.architecture);
    return parsed;
  }
  config.family = family->name;
  json.only("model_type", family->model_type);
  refuse_general_switches(json);
  family->read(json, config);
  check_shapes(json, config);
  config.stored_dtype = json.text_or("dtype", json.text_or("torch_dtype", ""));
  if (json.has("quantization_config")) parsed.unsupported.push_back("quantization_config");
  // Null in config.json means that the model has no end of sequence; an absent key leaves the family's.
  const Json none = Json::object();
  const ConfigReader generation(generation_config.is_object() ? generation_config : none, parsed.unsupported);
  if (generation.has("eos_token_id"))
    config.eos_token_ids = token_ids(generation);
  else if (json.mentions("eos_token_id"))
    config.eos_token_ids = token_ids(json);
  return parsed;
}

ParsedModelConfig read_model_config(const std::filesystem::path& model_dir) {
  const auto file = model_dir / "config.json";
  if (!std::filesystem::exists(file)) {
    const bool is_adapter = std::filesystem::exists(model_dir / "adapter_config.json");
    throw Error(
        ErrorCode::not_found,
        model_dir.string() + (is_adapter ? " is a PEFT adapter: name its base model as path, and this "
                                           "folder as adapter"
                                         : " holds no config.json: a Hugging Face model folder is needed"));
  }
  const auto generation_file = model_dir / "generation_config.json";
  const Json generation = std::filesystem::exists(generation_file)
                              ? parse_json(read_file(generation_file), generation_file.string())
                              : Json();
  ParsedModelConfig parsed = parse_model_config(parse_json(read_file(file), file.string()), generation);
  if (std::filesystem::exists(model_dir / "adapter_config.json"))
    parsed.unsupported.push_back(
        "adapter_config.json beside config.json: `transformers` applies that adapter; "
        "move it to a folder of its own, and name that as adapter");
  if (!parsed.config.names.other_prefixes.empty()) find_prefix(model_dir, parsed.config.names);
  return parsed;
}

Json to_config_json(const ModelConfig& config) {
  if (config.architecture != "LlamaForCausalLM" || config.rope.type > RopeType::llama3)
    throw Error(ErrorCode::internal, "no config.json can be written for this model");
  Json json = {{"architectures", {config.architecture}},
               {"model_type", "llama"},
               {"vocab_size", config.vocab_size},
               {"hidden_size", config.hidden_size},
               {"intermediate_size", config.intermediate_size},
               {"num_hidden_layers", config.num_layers},
               {"num_attention_heads", config.num_heads},
               {"num_key_value_heads", config.num_kv_heads},
               {"head_dim", config.head_dim},
               {"max_position_embeddings", config.max_positions},
               {"hidden_act", "silu"},
               {"rms_norm_eps", config.norm_eps},
               {"initializer_range", config.initializer_range},
               {"attention_bias", config.attention_bias},
               {"mlp_bias", config.mlp_bias},
               {"tie_word_embeddings", config.tie_word_embeddings},
               {"rope_theta", config.rope.theta}};
  if (config.rope.type == RopeType::linear) {
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", config.rope.factor}};
  } else if (config.rope.type == RopeType::llama3) {
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", config.rope.factor},
                            {"low_freq_factor", config.rope.low_freq_factor},
                            {"high_freq_factor", config.rope.high_freq_factor},
                            {"original_max_position_embeddings", config.rope.original_max_positions}};
  }
  // Both spellings: older `transformers` read only the first.
  json["torch_dtype"] = config.stored_dtype.empty() ? "float32" : config.stored_dtype;
  json["dtype"] = json["torch_dtype"];
  json["bos_token_id"] = nullptr;
  json["eos_token_id"] = nullptr;
  if (config.eos_token_ids.size() == 1) json["eos_token_id"] = config.eos_token_ids[0];
  if (config.eos_token_ids.size() > 1) json["eos_token_id"] = config.eos_token_ids;
  return json;
}

std::vector<int64_t> WeightSpec::stored_shape() const {
  return stored_transposed ? std::vector<int64_t>(shape.rbegin(), shape.rend()) : shape;
}

std::vector<WeightSpec> expected_weights(const ModelConfig& config) {
  const WeightNames& names = config.names;
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = config.num_heads * config.head_dim,
                kv_width = config.num_kv_heads * config.head_dim;
  std::vector<WeightSpec> weights;
  std::string prefix;
  auto linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    if (name.empty()) return;
    weights.push_back({prefix + name + ".weight", {out, in}, names.matrices_are_transposed});
    if (bias) weights.push_back({prefix + name + ".bias", {out}});
  };
  auto norm = [&](const std::string& name, int64_t width) {
    if (name.empty()) return;
    weights.push_back({prefix + name + ".weight", {width}});
    if (config.norm == NormType::layer_norm) weights.push_back({prefix + name + ".bias", {width}});
  };
  auto table = [&](const std::string& name, int64_t num_rows) {
    if (!name.empty()) weights.push_back({name + ".weight", {num_rows, hidden}});
  };
  table(names.prefix + names.embedding, config.vocab_size);
  table(names.positions.empty() ? "" : names.prefix + names.positions, config.max_positions);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    prefix = names.prefix + names.layers + std::to_string(i) + ".";
    norm(names.attention_norm, hidden);
    linear(names.q, q_width, hidden, config.attention_bias);
    linear(names.k, kv_width, hidden, config.attention_bias);
    linear(names.v, kv_width, hidden, config.attention_bias);
    linear(names.qkv, q_width + 2 * kv_width, hidden, config.attention_bias);
    norm(names.q_norm, config.qk_norm_is_per_head ? config.head_dim : q_width);
    norm(names.k_norm, config.qk_norm_is_per_head ? config.head_dim : kv_width);
    linear(names.o, hidden, q_width, config.attention_output_bias);
    norm(names.attention_output_norm, hidden);
    norm(names.mlp_norm, hidden);
    linear(names.gate, inner, hidden, config.mlp_bias);
    linear(names.up, inner, hidden, config.mlp_bias);
    linear(names.gate_up, 2 * inner, hidden, config.mlp_bias);
    linear(names.down, hidden, inner, config.mlp_bias);
    norm(names.mlp_output_norm, hidden);
  }
  prefix = names.prefix;
  norm(names.final_norm, hidden);
  table(config.tie_word_embeddings ? "" : names.head, config.vocab_size);
  return weights;
}

}  // namespace rft::engine
