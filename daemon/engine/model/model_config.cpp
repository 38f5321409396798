#include "engine/model/model_config.h"

#include "base/error.h"
#include "base/files.h"

namespace rft::engine {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, "config.json: " + message);
}

bool has(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && !object.at(key).is_null();
}

int64_t integer(const Json& object, const char* key) {
  if (!has(object, key)) refuse(std::string("the key ") + key + " is missing");
  if (!object.at(key).is_number_integer()) refuse(std::string(key) + " is not an integer");
  return object.at(key).get<int64_t>();
}

int64_t integer_or(const Json& object, const char* key, int64_t fallback) {
  return has(object, key) ? integer(object, key) : fallback;
}

double number_or(const Json& object, const char* key, double fallback) {
  if (!has(object, key)) return fallback;
  if (!object.at(key).is_number()) refuse(std::string(key) + " is not a number");
  return object.at(key).get<double>();
}

bool flag_or(const Json& object, const char* key, bool fallback) {
  if (!has(object, key)) return fallback;
  if (!object.at(key).is_boolean()) refuse(std::string(key) + " is not true or false");
  return object.at(key).get<bool>();
}

std::string text_or(const Json& object, const char* key, const std::string& fallback) {
  if (!has(object, key)) return fallback;
  if (!object.at(key).is_string()) refuse(std::string(key) + " is not a string");
  return object.at(key).get<std::string>();
}

// One id, a list of ids, or none.
std::vector<int64_t> token_ids(const Json& value) {
  std::vector<int64_t> ids;
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer()) refuse("eos_token_id is neither an integer nor a list of them");
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

// `rope_parameters` is the newer spelling: it holds rope_theta as well, which used to stand beside
// `rope_scaling`.
RopeConfig rope_config(const Json& json, std::vector<std::string>& unsupported) {
  RopeConfig rope;
  const char* key = has(json, "rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json scaling = has(json, key) ? json.at(key) : Json::object();
  if (!scaling.is_object()) refuse(std::string(key) + " is not an object");
  rope.theta = number_or(scaling, "rope_theta", number_or(json, "rope_theta", 10000));
  const std::string type = text_or(scaling, "rope_type", text_or(scaling, "type", "default"));
  if (type == "linear") {
    rope.type = RopeType::linear;
    rope.factor = number_or(scaling, "factor", 0);
  } else if (type == "llama3") {
    rope.type = RopeType::llama3;
    rope.factor = number_or(scaling, "factor", 0);
    rope.low_freq_factor = number_or(scaling, "low_freq_factor", 0);
    rope.high_freq_factor = number_or(scaling, "high_freq_factor", 0);
    rope.original_max_positions = integer(scaling, "original_max_position_embeddings");
    if (rope.low_freq_factor <= 0 || rope.high_freq_factor <= rope.low_freq_factor)
      refuse(std::string(key) + ": high_freq_factor must be greater than low_freq_factor");
  } else if (type != "default") {
    unsupported.push_back(std::string(key) + ".rope_type = " + type);
  }
  if (rope.factor <= 0) refuse(std::string(key) + ".factor must be positive");
  for (const Json& place : {json, scaling}) {
    if (number_or(place, "partial_rotary_factor", 1) != 1)
      unsupported.push_back("partial_rotary_factor = " + place.at("partial_rotary_factor").dump());
  }
  return rope;
}

void check_shapes(const ModelConfig& config) {
  for (const auto& [name, value] :
       {std::pair{"vocab_size", config.vocab_size}, std::pair{"hidden_size", config.hidden_size},
        std::pair{"intermediate_size", config.intermediate_size},
        std::pair{"num_hidden_layers", config.num_layers}, std::pair{"num_attention_heads", config.num_heads},
        std::pair{"num_key_value_heads", config.num_kv_heads}, std::pair{"head_dim", config.head_dim},
        std::pair{"max_position_embeddings", config.max_positions}}) {
    // The bound keeps products of two of them far from overflow; no model is near it.
    if (value <= 0 || value > (int64_t{1} << 28)) refuse(std::string(name) + " is out of range");
  }
  if (config.num_heads % config.num_kv_heads != 0)
    refuse("num_attention_heads is not a multiple of num_key_value_heads");
  if (config.head_dim % 2 != 0) refuse("head_dim is odd, which rotary embeddings cannot be");
  if (config.norm_eps <= 0) refuse("rms_norm_eps must be positive");
}

std::string architecture_of(const Json& json) {
  if (!has(json, "architectures") || !json.at("architectures").is_array() ||
      json.at("architectures").empty() || !json.at("architectures")[0].is_string())
    refuse("the key architectures is missing");
  return json.at("architectures")[0].get<std::string>();
}

}  // namespace

ParsedModelConfig parse_model_config(const Json& json, const Json& generation_config) {
  if (!json.is_object()) refuse("not a JSON object");
  ParsedModelConfig parsed;
  ModelConfig& config = parsed.config;
  config.architecture = architecture_of(json);
  if (config.architecture != "LlamaForCausalLM") {
    // Another family's keys mean other things: nothing more can be said about it.
    parsed.unsupported.push_back("architectures = " + config.architecture);
    return parsed;
  }
  config.vocab_size = integer(json, "vocab_size");
  config.hidden_size = integer(json, "hidden_size");
  config.intermediate_size = integer(json, "intermediate_size");
  config.num_layers = integer(json, "num_hidden_layers");
  config.num_heads = integer(json, "num_attention_heads");
  if (config.num_heads <= 0) refuse("num_attention_heads is out of range");
  config.num_kv_heads = integer_or(json, "num_key_value_heads", config.num_heads);
  config.head_dim = integer_or(json, "head_dim", config.hidden_size / config.num_heads);
  config.max_positions = integer_or(json, "max_position_embeddings", 2048);
  config.norm_eps = number_or(json, "rms_norm_eps", 1e-6);
  config.initializer_range = number_or(json, "initializer_range", 0.02);
  config.attention_bias = flag_or(json, "attention_bias", false);
  config.mlp_bias = flag_or(json, "mlp_bias", false);
  config.tie_word_embeddings = flag_or(json, "tie_word_embeddings", false);
  config.stored_dtype = text_or(json, "dtype", text_or(json, "torch_dtype", ""));
  check_shapes(config);
  config.rope = rope_config(json, parsed.unsupported);

  if (const std::string act = text_or(json, "hidden_act", "silu"); act != "silu")
    parsed.unsupported.push_back("hidden_act = " + act);
  if (has(json, "quantization_config")) parsed.unsupported.push_back("quantization_config");
  // An absent key means 2 to `transformers`' LlamaConfig; null means that the model has no end of sequence.
  if (has(generation_config, "eos_token_id"))
    config.eos_token_ids = token_ids(generation_config.at("eos_token_id"));
  else if (has(json, "eos_token_id"))
    config.eos_token_ids = token_ids(json.at("eos_token_id"));
  else if (!json.contains("eos_token_id"))
    config.eos_token_ids = {2};
  return parsed;
}

ParsedModelConfig read_model_config(const std::filesystem::path& model_dir) {
  const auto file = model_dir / "config.json";
  if (!std::filesystem::exists(file)) {
    throw Error(ErrorCode::not_found,
                model_dir.string() + " holds no config.json: a Hugging Face model folder is needed");
  }
  const auto generation_file = model_dir / "generation_config.json";
  const Json generation = std::filesystem::exists(generation_file)
                              ? parse_json(read_file(generation_file), generation_file.string())
                              : Json();
  return parse_model_config(parse_json(read_file(file), file.string()), generation);
}

Json to_config_json(const ModelConfig& config) {
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

std::vector<WeightSpec> expected_weights(const ModelConfig& config) {
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = config.num_heads * config.head_dim,
                kv_width = config.num_kv_heads * config.head_dim;
  std::vector<WeightSpec> weights;
  auto linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    weights.push_back({name + ".weight", {out, in}});
    if (bias) weights.push_back({name + ".bias", {out}});
  };
  weights.push_back({"model.embed_tokens.weight", {config.vocab_size, hidden}});
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    weights.push_back({layer + "input_layernorm.weight", {hidden}});
    linear(layer + "self_attn.q_proj", q_width, hidden, config.attention_bias);
    linear(layer + "self_attn.k_proj", kv_width, hidden, config.attention_bias);
    linear(layer + "self_attn.v_proj", kv_width, hidden, config.attention_bias);
    linear(layer + "self_attn.o_proj", hidden, q_width, config.attention_bias);
    weights.push_back({layer + "post_attention_layernorm.weight", {hidden}});
    linear(layer + "mlp.gate_proj", inner, hidden, config.mlp_bias);
    linear(layer + "mlp.up_proj", inner, hidden, config.mlp_bias);
    linear(layer + "mlp.down_proj", hidden, inner, config.mlp_bias);
  }
  weights.push_back({"model.norm.weight", {hidden}});
  if (!config.tie_word_embeddings) weights.push_back({"lm_head.weight", {config.vocab_size, hidden}});
  return weights;
}

}  // namespace rft::engine
