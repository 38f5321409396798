#include "engine/model/families/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/model/lora_adapter.h"
#include "engine/support/tiny_model.h"
#include "support/temp_dir.h"

namespace rft::engine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json sizes(const std::string& architecture) {
  if (architecture == "GPT2LMHeadModel") {
    return Json::parse(R"({"architectures": ["GPT2LMHeadModel"], "vocab_size": 61, "n_embd": 32, "n_layer": 4,
      "n_head": 4, "n_positions": 64, "initializer_range": 0.2})");
  }
  Json json = Json::parse(R"({"vocab_size": 61, "hidden_size": 32, "intermediate_size": 56,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 64, "initializer_range": 0.2, "sliding_window": 7,
    "use_sliding_window": true, "max_window_layers": 2})");
  if (architecture == "Gemma3ForConditionalGeneration") json = {{"text_config", json}};
  json["architectures"] = {architecture};
  return json;
}

// What prefill and steps say of the tokens from `prompt_length` on, (steps, V).
at::Tensor logits_of_steps(const Decoder& decoder, const std::vector<int64_t>& ids, int64_t prompt_length) {
  const at::NoGradGuard no_grad;
  const Decoder::Prefill prefill =
      decoder.prefill(ids_tensor(ids).narrow(1, 0, prompt_length), {{prompt_length}});
  KvCache cache = decoder.make_cache(1, static_cast<int64_t>(ids.size()));
  std::vector<at::Tensor> keys, values, logits;
  for (size_t layer = 0; layer < prefill.keys.size(); ++layer) {
    keys.push_back(prefill.keys[layer][0]);
    values.push_back(prefill.values[layer][0]);
  }
  cache.fill_row(0, keys, values, prompt_length);
  for (int64_t t = prompt_length; t < static_cast<int64_t>(ids.size()); ++t)
    logits.push_back(decoder.decode({{ids[static_cast<size_t>(t)]}}, {{t}}, cache)[0]);
  return at::stack(logits);
}

TEST(Families, EachTrainsAllItsWeightsAndItsStepsSayWhatTrainingSees) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.architecture);
    const ParsedModelConfig parsed = parse(sizes(family.architecture));
    EXPECT_THAT(parsed.unsupported, IsEmpty());
    EXPECT_EQ(parsed.config.family, family.name);
    const auto decoder = tiny_decoder(7, at::kFloat, parsed.config);
    const auto ids = some_ids(20, 5);
    const at::Tensor logits = decoder->logits(decoder->hidden_states(ids_tensor(ids)))[0];
    const at::Tensor expected = logits.detach().narrow(0, 11, 9);
    EXPECT_LT((logits_of_steps(*decoder, ids, 11) - expected).abs().max().item<double>(),
              1e-4 * expected.std().item<double>());
    at::log_softmax(logits, -1).select(-1, 3).sum().backward();
    for (const NamedTensor& parameter : decoder->parameters()) {
      ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
      // A constant added to all keys moves no attention weight.
      if (parameter.name.ends_with("k_proj.bias")) continue;
      EXPECT_GT(parameter.tensor.grad().abs().max().item<double>(), 1e-5) << parameter.name;
    }
  }
}

TEST(Families, EachTrainsAnAdapterWhoseStepsAndFolderSayTheSame) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.architecture);
    const ModelConfig config = parse(sizes(family.architecture)).config;
    LoraAdapter adapter = new_adapter(config, {4, 8, false, {"all-linear"}}, 3);
    for (const NamedTensor& factor : adapter.factors) {
      at::Tensor values = factor.tensor;
      values.add_(at::sin(at::arange(values.numel(), at::kFloat).view_as(values) * 1.7) * 0.1);
    }
    const auto base = tiny_decoder(7, at::kFloat, config);
    const auto policy = base->with_adapter(std::move(adapter));
    const auto ids = some_ids(20, 5);
    const auto logits_of = [&](const Decoder& decoder) {
      return decoder.logits(decoder.hidden_states(ids_tensor(ids)))[0];
    };
    const at::Tensor logits = logits_of(*policy), expected = logits.detach();
    const double tolerance = 1e-4 * expected.std().item<double>();
    EXPECT_GT((logits_of(*base) - expected).abs().max().item<double>(), 100 * tolerance);
    EXPECT_LT((logits_of_steps(*policy, ids, 11) - expected.narrow(0, 11, 9)).abs().max().item<double>(),
              tolerance);
    at::log_softmax(logits, -1).select(-1, 3).sum().backward();
    for (const NamedTensor& factor : policy->trained_parameters()) {
      ASSERT_TRUE(factor.tensor.grad().defined()) << factor.name;
      EXPECT_GT(factor.tensor.grad().abs().max().item<double>(), 1e-6) << factor.name;
    }
    TempDir folder;
    write_adapter(*policy->adapter(), config, "/models/tiny", folder / "adapter");
    const auto back = base->with_adapter(read_adapter(folder / "adapter", config));
    EXPECT_TRUE(logits_of(*back).equal(expected));
  }
}

TEST(Families, WhatIsNotDoneIsNamed) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"MistralForCausalLM", {{"layer_types", Json::array()}}, "layer_types = []"},
      {"Qwen2ForCausalLM", {{"partial_rotary_factor", 0.5}}, "partial_rotary_factor = 0.5"},
      {"Qwen3ForCausalLM",
       {{"layer_types", {"full_attention", "full_attention", "chunked_attention", "full_attention"}}},
       R"(layer_types = ["full_attention","full_attention","chunked_attention","full_attention"])"},
      {"Phi3ForCausalLM",
       {{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}},
       "rope_scaling.type = linear"},
      {"Gemma2ForCausalLM", {{"use_bidirectional_attention", true}}, "use_bidirectional_attention = true"},
      {"Gemma3ForCausalLM",
       {{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}},
       "rope_scaling.type = linear"},
      {"Gemma3ForCausalLM", {{"attn_logit_softcapping", 50}}, "attn_logit_softcapping = 50"},
      {"Gemma3ForCausalLM",
       {{"rope_scaling", {{"rope_type", "linear"}, {"factor", 2}}},
        {"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}}},
       R"(rope_scaling = {"rope_type":"linear","factor":2})"},
      {"Gemma3ForCausalLM",
       {{"original_max_position_embeddings", 32}},
       "original_max_position_embeddings = 32"},
      {"Gemma3ForCausalLM",
       {{"rope_parameters",
         {{"full_attention", {{"rope_type", "yarn"}, {"factor", 2}, {"truncate", false}}}}}},
       "rope_parameters.full_attention.truncate = false"},
      {"Gemma3ForConditionalGeneration",
       {{"text_config", {{"final_logit_softcapping", 30}}}},
       "text_config.final_logit_softcapping = 30"},
      {"Gemma3ForConditionalGeneration",
       {{"text_config", {{"is_causal", false}}}},
       "text_config.is_causal = false"},
      {"Gemma3ForCausalLM", {{"model_type", "gemma3"}}, "model_type = gemma3"},
      {"GPT2LMHeadModel", {{"add_cross_attention", true}}, "add_cross_attention = true"},
      {"GPT2LMHeadModel", {{"num_attention_heads", 2}}, "num_attention_heads = 2"},
      {"GPT2LMHeadModel", {{"activation_function", "relu"}}, "activation_function = relu"}};
  for (const auto& [architecture, change, reason] : cases) {
    Json json = sizes(architecture);
    json.update(change, true);
    EXPECT_THAT(parse(json).unsupported, ElementsAre(reason));
  }
}

TEST(Families, AWindowOfNothingIsRefused) {
  for (const char* architecture : {"MistralForCausalLM", "Qwen2ForCausalLM", "SmolLM3ForCausalLM",
                                   "Phi3ForCausalLM", "Gemma2ForCausalLM"}) {
    Json json = sizes(architecture);
    json["sliding_window"] = 0;  // which masks everything in `transformers`
    EXPECT_THROW(parse(json), Error) << architecture;
  }
}

TEST(Families, ACapOfNothingIsRefused) {
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    for (const double cap : {0.0, -1.0}) {
      Json json = sizes("Gemma2ForCausalLM");
      json[key] = cap;
      EXPECT_THROW(parse(json), Error) << key << " = " << cap;
    }
  }
}

TEST(Families, EachKindOfLayerHasItsOwnDynamicLength) {
  Json json = sizes("Gemma3ForCausalLM");
  const Json dynamic = {{"rope_type", "dynamic"}, {"factor", 2}};
  json["rope_parameters"] = {{"full_attention", dynamic}, {"sliding_attention", dynamic}};
  const ModelConfig config = parse(json).config;
  EXPECT_EQ(config.rope.original_max_positions, 64);
  EXPECT_EQ(config.local_rope->original_max_positions, 64);
  EXPECT_EQ(config.max_positions, 128);
}

TEST(Families, AnAbsentKeyMeansWhatItMeansToTheFamily) {
  Json mistral = sizes("MistralForCausalLM");
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(parse(mistral).config.layer(0).window, 0);
  mistral.erase("sliding_window");
  EXPECT_EQ(parse(mistral).config.layer(0).window, 4096);

  Json qwen = sizes("Qwen2ForCausalLM");
  EXPECT_EQ(parse(qwen).config.layer(1).window, 0);
  EXPECT_EQ(parse(qwen).config.layer(2).window, 7);
  qwen.erase("use_sliding_window");
  EXPECT_EQ(parse(qwen).config.layer(2).window, 0);
  EXPECT_THAT(parse(qwen).config.eos_token_ids, IsEmpty());

  Json gemma = sizes("Gemma2ForCausalLM");
  EXPECT_EQ(parse(gemma).config.attention_softcap, 50);
  gemma["attn_logit_softcapping"] = nullptr;
  EXPECT_EQ(parse(gemma).config.attention_softcap, 0);
  EXPECT_EQ(parse(gemma).config.layer(0).window, 7);
  EXPECT_EQ(parse(gemma).config.layer(1).window, 0);

  const ModelConfig smollm3 = parse(sizes("SmolLM3ForCausalLM")).config;
  EXPECT_EQ(smollm3.rope.theta, 2000000);
  EXPECT_EQ(smollm3.layer(2).positions, PositionEmbedding::rope);
  EXPECT_EQ(smollm3.layer(3).positions, PositionEmbedding::none);
}

TEST(Families, ADynamicModelTakesWhatItsFactorIsFor) {
  Json json = sizes("LlamaForCausalLM");
  json["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2.5}};
  EXPECT_EQ(parse(json).config.max_positions, 160);
  EXPECT_EQ(parse(json).config.rope.original_max_positions, 64);
}

TEST(Families, GemmaRoundsItsEmbeddingMultiplierToTheComputeDtype) {
  Json json = sizes("Gemma2ForCausalLM");
  json["rms_norm_eps"] = 50;  // so that the last norm does not hide the size of what it norms
  std::vector<double> sizes_of_first;
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    const auto decoder = tiny_decoder(7, compute, parse(json).config);
    const at::NoGradGuard no_grad;
    for (const NamedTensor& parameter : decoder->parameters())
      if (parameter.name.ends_with("_proj.weight")) at::Tensor(parameter.tensor).zero_();
    decoder->weights_changed();
    sizes_of_first.push_back(decoder->hidden_states(ids_tensor({4})).norm().item<double>());
  }
  // √32 = 5.65685 is 5.65625 in bfloat16.
  const double ratio = sizes_of_first[1] / sizes_of_first[0];
  EXPECT_LT(ratio, 1 - 0.5e-4);
  EXPECT_GT(ratio, 1 - 1.1e-4);
}

}  // namespace
}  // namespace rft::engine
