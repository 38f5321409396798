#include "engine/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/support/tiny_model.h"

namespace rft::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json llama() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "vocab_size": 100, "hidden_size": 64,
    "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4})");
}

TEST(ModelConfig, AbsentKeysMeanWhatTheyMeanToTransformers) {
  const ModelConfig config = parse(llama()).config;
  EXPECT_EQ(config.num_kv_heads, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.max_positions, 2048);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_EQ(config.rope.theta, 10000);
  EXPECT_FALSE(config.attention_bias || config.mlp_bias || config.tie_word_embeddings);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(2));
}

TEST(ModelConfig, BothSpellingsOfRopeScalingAreRead) {
  Json older = llama(), newer = llama();
  older["rope_theta"] = 5e5;
  older["rope_scaling"] = Json::parse(R"({"type": "llama3", "factor": 8, "low_freq_factor": 1,
    "high_freq_factor": 4, "original_max_position_embeddings": 8192})");
  newer["rope_parameters"] = older["rope_scaling"];
  newer["rope_parameters"].erase("type");
  newer["rope_parameters"]["rope_type"] = "llama3";
  newer["rope_parameters"]["rope_theta"] = 5e5;
  for (const Json& json : {older, newer}) {
    const ParsedModelConfig parsed = parse(json);
    EXPECT_THAT(parsed.unsupported, IsEmpty());
    EXPECT_EQ(parsed.config.rope.type, RopeType::llama3);
    EXPECT_EQ(parsed.config.rope.theta, 5e5);
    EXPECT_EQ(parsed.config.rope.factor, 8);
    EXPECT_EQ(parsed.config.rope.original_max_positions, 8192);
  }
}

TEST(ModelConfig, TheEndsOfSequenceAreOneOrManyAndTheGenerationConfigWins) {
  Json json = llama();
  json["eos_token_id"] = 7;
  EXPECT_THAT(parse(json).config.eos_token_ids, ElementsAre(7));
  json["eos_token_id"] = {7, 9};
  EXPECT_THAT(parse(json).config.eos_token_ids, ElementsAre(7, 9));
  EXPECT_THAT(parse_model_config(json, {{"eos_token_id", {3, 4}}}).config.eos_token_ids, ElementsAre(3, 4));
  json["eos_token_id"] = nullptr;
  EXPECT_THAT(parse(json).config.eos_token_ids, IsEmpty());
}

TEST(ModelConfig, WhatTheEngineDoesNotDoIsNamed) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"hidden_act", "relu2"}}, "hidden_act = relu2"},
      {{{"architectures", {"MambaForCausalLM"}}}, "architectures = MambaForCausalLM"},
      {{{"rope_scaling", {{"rope_type", "longrope"}, {"factor", 2}}}}, "rope_scaling.rope_type = longrope"},
      {{{"partial_rotary_factor", 0.5}}, "partial_rotary_factor = 0.5"},
      {{{"rope_parameters", {{"full_attention", {{"rope_theta", 5}}}}}},
       R"(rope_parameters.full_attention = {"rope_theta":5})"},
      {{{"model_type", "mistral"}}, "model_type = mistral"},
      {{{"is_causal", false}}, "is_causal = false"},
      {{{"per_layer_config", {{"1", {{"intermediate_size", 8}}}}}},
       R"(per_layer_config = {"1":{"intermediate_size":8}})"},
      {{{"quantization_config", {{"bits", 4}}}}, "quantization_config"}};
  for (const auto& [change, reason] : cases) {
    Json json = llama();
    json.update(change);
    EXPECT_THAT(parse(json).unsupported, ElementsAre(reason));
  }
}

TEST(ModelConfig, SenselessValuesAreErrorsThatNameTheirKey) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"vocab_size", nullptr}}, "vocab_size is missing"},
      {{{"hidden_size", "64"}}, "hidden_size is not an integer"},
      {{{"num_attention_heads", 0}}, "num_attention_heads"},
      {{{"num_key_value_heads", 3}}, "num_key_value_heads"},
      {{{"head_dim", 15}}, "head_dim"},
      {{{"num_hidden_layers", -1}}, "num_hidden_layers"},
      {{{"intermediate_size", int64_t{1} << 40}}, "intermediate_size"},
      {{{"rope_scaling", {{"rope_type", "linear"}}}}, "rope_scaling.factor is missing"},
      {{{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 0}}}}, "must be positive"},
      {{{"architectures", nullptr}}, "architectures"}};
  for (const auto& [change, reason] : cases) {
    Json json = llama();
    for (const auto& [key, value] : change.items()) json[key] = value;
    try {
      parse(json);
      ADD_FAILURE() << "accepted " << change.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.what(), HasSubstr(reason));
    }
  }
}

TEST(ModelConfig, WhatIsWrittenReadsBackTheSame) {
  const ModelConfig written = tiny_config();
  const ParsedModelConfig read = parse(to_config_json(written));
  EXPECT_THAT(read.unsupported, IsEmpty());
  EXPECT_EQ(to_config_json(read.config), to_config_json(written));
  EXPECT_EQ(read.config.rope.low_freq_factor, written.rope.low_freq_factor);
  EXPECT_EQ(read.config.head_dim, 16);
}

}  // namespace
}  // namespace rft::engine
