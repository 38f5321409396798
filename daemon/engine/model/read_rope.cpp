#include "engine/model/read_rope.h"

#include <cmath>

namespace rft::engine {
namespace {

void read_llama3(const ConfigReader& scaling, RopeConfig& rope) {
  rope.factor = scaling.number("factor");
  rope.low_freq_factor = scaling.number("low_freq_factor");
  rope.high_freq_factor = scaling.number("high_freq_factor");
  if (rope.low_freq_factor <= 0 || rope.high_freq_factor <= rope.low_freq_factor)
    scaling.refuse("high_freq_factor must be greater than low_freq_factor");
}

double yarn_attention_factor(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

void read_yarn(const ConfigReader& scaling, const ModelConfig& config, RopeConfig& rope) {
  rope.factor = scaling.number_or(
      "factor", static_cast<double>(config.max_positions) / static_cast<double>(rope.original_max_positions));
  auto number_or = [&](const char* key, double fallback) {  // 0 means the fallback too
    const double value = scaling.number_or(key, 0);
    return value == 0 ? fallback : value;
  };
  rope.beta_fast = number_or("beta_fast", 32);
  rope.beta_slow = number_or("beta_slow", 1);
  rope.truncate = scaling.flag_or("truncate", true);
  const double mscale = scaling.number_or("mscale", 0), all_dim = scaling.number_or("mscale_all_dim", 0);
  const double inferred = mscale != 0 && all_dim != 0 ? yarn_attention_factor(rope.factor, mscale) /
                                                            yarn_attention_factor(rope.factor, all_dim)
                                                      : yarn_attention_factor(rope.factor, 1);
  rope.attention_factor = scaling.number_or("attention_factor", inferred);
}

}  // namespace

int64_t read_original_max_positions(const ConfigReader& scaling, const ConfigReader& json,
                                    const ModelConfig& config) {
  const char* key = "original_max_position_embeddings";
  const int64_t original = json.integer_or(key, scaling.integer_or(key, config.max_positions));
  if (original <= 1) json.refuse(std::string(key) + " is out of range");
  return original;
}

ConfigReader rope_object(const ConfigReader& json) {
  const bool is_older = json.has("rope_scaling") && !json.at("rope_scaling").empty();
  const ConfigReader scaling = json.object(is_older ? "rope_scaling" : "rope_parameters");
  for (const auto& [key, value] : scaling.json().items())
    if (value.is_object()) scaling.is_unsupported(key.c_str());
  return scaling;
}

RopeConfig read_rope(const ConfigReader& json, ModelConfig& config, double default_theta) {
  return read_rope(rope_object(json), json, config, default_theta);
}

RopeConfig read_rope(const ConfigReader& scaling, const ConfigReader& json, ModelConfig& config,
                     double default_theta) {
  RopeConfig rope;
  rope.theta = scaling.number_or("rope_theta", json.number_or("rope_theta", default_theta));
  if (rope.theta <= 0) json.refuse("rope_theta must be positive");
  const char* type_key = scaling.has("rope_type") ? "rope_type" : "type";
  const std::string type = scaling.text_or(type_key, "default");
  if (type == "linear") {
    rope.type = RopeType::linear;
    rope.factor = scaling.number("factor");
  } else if (type == "llama3") {
    rope.type = RopeType::llama3;
    rope.original_max_positions = read_original_max_positions(scaling, json, config);
    read_llama3(scaling, rope);
  } else if (type == "dynamic") {
    rope.type = RopeType::dynamic;
    rope.factor = scaling.number("factor");
    rope.original_max_positions = config.max_positions;
    config.max_positions = static_cast<int64_t>(rope.factor * static_cast<double>(config.max_positions));
  } else if (type == "yarn") {
    rope.type = RopeType::yarn;
    rope.original_max_positions = read_original_max_positions(scaling, json, config);
    read_yarn(scaling, config, rope);
  } else if (type != "default") {
    scaling.is_unsupported(type_key);
  }
  if (rope.factor <= 0) scaling.refuse("the factor of rotary embeddings must be positive");
  // Only Phi-3 rotates a part of a head, and it reads its own.
  json.only("partial_rotary_factor", 1);
  scaling.only("partial_rotary_factor", 1);
  return rope;
}

}  // namespace rft::engine
