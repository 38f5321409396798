#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "engine/model/export_model.h"
#include "engine/model/lora_adapter.h"
#include "engine/model/weight_files.h"
#include "engine/support/tiny_model.h"
#include "support/temp_dir.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

at::Tensor ids_tensor(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong).unsqueeze(0); }

at::Tensor logits_of(const Decoder& decoder) {
  const at::NoGradGuard no_grad;
  return decoder.logits(decoder.hidden_states(ids_tensor(some_ids(20, 6))));
}

// An adapter that has been trained: its B is not zero.
LoraAdapter some_adapter(const LoraConfig& config, uint64_t seed = 3) {
  LoraAdapter adapter = new_adapter(tiny_config(), config, seed);
  for (const NamedTensor& factor : adapter.factors) {
    at::Tensor values = factor.tensor;
    values.add_(at::sin(at::arange(values.numel(), at::kFloat).view_as(values) * 1.7) * 0.1);
  }
  return adapter;
}

const LoraConfig kAll = {4, 8, false, {"all-linear"}};

std::vector<std::string> names_of(const std::vector<LinearSpec>& linears) {
  std::vector<std::string> names;
  for (const LinearSpec& linear : linears) names.push_back(linear.name);
  return names;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LoraTargets, NameModulesByTheEndOfTheirNames) {
  EXPECT_THAT(names_of(find_linears(tiny_config(), {"v_proj", "layers.1.mlp.up_proj"})),
              ElementsAre("model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.v_proj",
                          "model.layers.1.mlp.up_proj"));
  const auto all = find_linears(tiny_config(), {"all-linear"});
  EXPECT_EQ(all.size(), 2u * 7) << "every linear of the layers and no head";
  EXPECT_EQ(all[1].name, "model.layers.0.self_attn.k_proj");
  EXPECT_EQ(all[1].out, 32);
  EXPECT_EQ(all[1].in, 32);
}

TEST(LoraTargets, OneThatNamesNothingIsRefusedWithTheLinearsThatThereAre) {
  const std::string message = message_of([] { find_linears(tiny_config(), {"q_proj", "v_prj"}); });
  EXPECT_THAT(message, HasSubstr("\"v_prj\" names no linear"));
  EXPECT_THAT(message, HasSubstr("q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"));
  EXPECT_THAT(message, HasSubstr("did you mean \"v_proj\"?"));
  EXPECT_THAT(message_of([] { find_linears(tiny_config(), {"lm_head"}); }), HasSubstr("\"lm_head\""));
}

TEST(LoraConfig, ScalesByTheRankOrItsRoot) {
  EXPECT_EQ((LoraConfig{16, 32, false, {}}.scale()), 2);
  EXPECT_EQ((LoraConfig{16, 32, true, {}}.scale()), 8);
}

TEST(LoraAdapter, ANewOneIsKaimingUniformAndZeroAndAFunctionOfTheSeed) {
  ModelConfig wide = tiny_config();
  wide.hidden_size = 256;
  const LoraConfig config = {32, 32, false, {"up_proj"}};
  const LoraAdapter adapter = new_adapter(wide, config, 5);
  ASSERT_EQ(adapter.factors.size(), 4u);
  EXPECT_EQ(adapter.factors[0].name, "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight");
  EXPECT_EQ(adapter.factors[1].name, "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight");
  const at::Tensor a = adapter.factors[0].tensor;
  EXPECT_EQ(a.sizes(), at::IntArrayRef({32, 256}));
  const double bound = 1.0 / 16;  // 1/√256
  EXPECT_LE(a.abs().max().item<double>(), bound);
  EXPECT_NEAR(a.std().item<double>(), bound / std::sqrt(3.0), 0.01 * bound);
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.02 * bound);
  EXPECT_EQ(adapter.factors[1].tensor.abs().max().item<double>(), 0);
  EXPECT_FALSE(a.equal(adapter.factors[2].tensor)) << "every linear has numbers of its own";
  EXPECT_TRUE(a.equal(new_adapter(wide, config, 5).factors[0].tensor));
  EXPECT_FALSE(a.equal(new_adapter(wide, config, 6).factors[0].tensor));
}

TEST(LoraDecoder, ANewAdapterChangesNothing) {
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    const auto base = tiny_decoder(7, compute);
    const auto adapted = base->with_adapter(new_adapter(tiny_config(), kAll, 1));
    EXPECT_EQ(largest_difference(logits_of(*base), logits_of(*adapted)), 0);
  }
}

TEST(LoraDecoder, SharesItsBaseAndTrainsTheFactorsAlone) {
  const auto base = tiny_decoder();
  const auto policy = base->with_adapter(some_adapter(kAll));
  const auto reference = policy->frozen_copy();
  for (size_t i = 0; i < base->parameters().size(); ++i) {
    EXPECT_EQ(policy->parameters()[i].tensor.data_ptr(), base->parameters()[i].tensor.data_ptr());
    EXPECT_EQ(reference->parameters()[i].tensor.data_ptr(), base->parameters()[i].tensor.data_ptr());
    EXPECT_FALSE(policy->parameters()[i].tensor.requires_grad());
  }
  EXPECT_EQ(policy->trained_parameters().size(), 2u * 2 * 7);
  at::log_softmax(policy->logits(policy->hidden_states(ids_tensor(some_ids(11, 5)))), -1)
      .select(-1, 3)
      .sum()
      .backward();
  for (const NamedTensor& factor : policy->trained_parameters())
    EXPECT_GT(factor.tensor.grad().abs().max().item<double>(), 1e-5) << factor.name;
  for (const NamedTensor& parameter : policy->parameters()) EXPECT_FALSE(parameter.tensor.grad().defined());

  const at::Tensor before = logits_of(*policy);
  const at::NoGradGuard no_grad;
  for (const NamedTensor& factor : policy->trained_parameters()) at::Tensor(factor.tensor).mul_(1.5);
  policy->weights_changed();
  EXPECT_GT(largest_difference(logits_of(*policy), before), 1e-2);
  EXPECT_EQ(largest_difference(logits_of(*reference), before), 0) << "the reference keeps the adapter it had";
  for (const NamedTensor& factor : reference->trained_parameters())
    EXPECT_FALSE(factor.tensor.requires_grad());
}

// The gradients of W of the merged model, and through W = W₀ + s·B·A those of A and B.
TEST(LoraDecoder, GradientsAreThoseThroughTheMergedWeight) {
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    const auto policy = tiny_decoder(7, compute)->with_adapter(some_adapter({4, 6, true, {"all-linear"}}));
    TempDir folder;
    policy->save_weights(folder.path());
    const Decoder merged(tiny_config(), map_tensors(folder / "model.safetensors"), policy->options());
    std::map<std::string, at::Tensor> slopes;
    for (const Decoder* decoder : {static_cast<const Decoder*>(policy.get()), &merged}) {
      const at::Tensor logits = decoder->logits(decoder->hidden_states(ids_tensor(some_ids(16, 6))));
      at::log_softmax(logits, -1).select(-1, 3).sum().backward();
    }
    for (const NamedTensor& parameter : merged.parameters()) slopes[parameter.name] = parameter.tensor.grad();
    const auto& factors = policy->trained_parameters();
    const auto linears = find_linears(tiny_config(), {"all-linear"});
    const double scale = policy->adapter()->config.scale();
    const double tolerance = compute == at::kFloat ? 1e-5 : 2e-2;
    for (size_t i = 0; i < linears.size(); ++i) {
      const at::Tensor a = factors[2 * i].tensor.detach(), b = factors[2 * i + 1].tensor.detach();
      const at::Tensor slope = slopes.at(linears[i].name + ".weight");
      const at::Tensor of_a = scale * at::matmul(b.t(), slope), of_b = scale * at::matmul(slope, a.t());
      EXPECT_LT((factors[2 * i].tensor.grad() - of_a).norm().item<double>(),
                tolerance * of_a.norm().item<double>())
          << linears[i].name;
      EXPECT_LT((factors[2 * i + 1].tensor.grad() - of_b).norm().item<double>(),
                tolerance * of_b.norm().item<double>())
          << linears[i].name;
    }
  }
}

TEST(LoraDecoder, TheExportedModelIsTheMergedOne) {
  TempDir folder;
  fs::create_directory(folder / "base");
  write_file_atomically(folder / "base/config.json", to_config_json(tiny_config()).dump());
  const auto base = tiny_decoder();
  base->save_weights(folder / "base");
  const auto policy = base->with_adapter(some_adapter(kAll));
  export_model(*policy, folder / "base", folder / "merged");
  const at::Tensor expected = logits_of(*policy);
  const double size = expected.std().item<double>();
  EXPECT_LT(largest_difference(logits_of(*Decoder::load(folder / "merged", {})), expected), 1e-4 * size);
  EXPECT_GT(largest_difference(logits_of(*base), expected), 0.1 * size);
}

// A prompt's continuation token by token, by the packed step where this machine has it, against the training
// pass: in both, the same policy.
TEST(LoraDecoder, RolloutsAndTrainingAgree) {
  const auto ids = some_ids(24, 8);
  for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
    const auto policy = tiny_decoder(7, compute)->with_adapter(some_adapter(kAll));
    const at::NoGradGuard no_grad;
    const at::Tensor expected =
        at::log_softmax(policy->logits(policy->hidden_states(ids_tensor(ids)))[0], -1).exp();  // (T, V)
    KvCache cache = policy->make_cache(1, 32);
    const Decoder::Prefill prefill = policy->prefill(ids_tensor({ids.begin(), ids.begin() + 4}), {{4}});
    std::vector<at::Tensor> keys, values;
    for (size_t layer = 0; layer < prefill.keys.size(); ++layer) {
      keys.push_back(prefill.keys[layer][0]);
      values.push_back(prefill.values[layer][0]);
    }
    cache.fill_row(0, keys, values, 4);
    double gap = 0;
    for (int64_t t = 4; t < 24; ++t) {
      const at::Tensor logits = policy->decode({{ids[static_cast<size_t>(t)]}}, {{t}}, cache)[0];
      gap += (at::softmax(logits, -1) - expected[t]).abs().mean().item<double>() / 20;
    }
    EXPECT_LT(gap, compute == at::kFloat ? 1e-6 : 1e-3);
  }
}

class AdapterFolder : public ::testing::Test {
 protected:
  void SetUp() override { write_adapter(some_adapter(config_), tiny_config(), "/models/tiny", dir()); }
  fs::path dir() const { return folder_ / "adapter"; }
  void change_config(const std::string& key, const Json& value) const {
    const fs::path file = dir() / "adapter_config.json";
    Json json = parse_json(read_file(file), file.string());
    json[key] = value;
    write_file_atomically(file, json.dump());
  }
  std::string refusal(const ModelConfig& model = tiny_config()) const {
    return message_of([&] { check_adapter(dir(), model); });
  }

  TempDir folder_;
  LoraConfig config_ = {4, 6.5, true, {"q_proj", "down_proj"}};
};

TEST_F(AdapterFolder, IsReadBackAsItWasWritten) {
  const LoraAdapter before = some_adapter(config_), after = read_adapter(dir(), tiny_config());
  EXPECT_EQ(after.config.rank, 4);
  EXPECT_EQ(after.config.alpha, 6.5);
  EXPECT_TRUE(after.config.rslora);
  EXPECT_THAT(after.config.targets, ElementsAre("q_proj", "down_proj"));
  ASSERT_EQ(after.factors.size(), before.factors.size());
  for (size_t i = 0; i < before.factors.size(); ++i) {
    EXPECT_EQ(after.factors[i].name, before.factors[i].name);
    EXPECT_TRUE(after.factors[i].tensor.equal(before.factors[i].tensor));
  }
  const Json json = parse_json(read_file(dir() / "adapter_config.json"), "");
  EXPECT_EQ(json["base_model_name_or_path"], "/models/tiny");
  EXPECT_EQ(json["target_modules"], Json::array({"q_proj", "down_proj"}));
  EXPECT_THROW(write_adapter(before, tiny_config(), "", dir()), Error) << "it is there already";
}

TEST_F(AdapterFolder, OfSomeLayersOnlyNamesThemInFull) {
  const fs::path some = folder_ / "some";
  write_adapter(some_adapter({4, 4, false, {"layers.1.mlp.up_proj"}}), tiny_config(), "", some);
  EXPECT_THAT(check_adapter(some, tiny_config()).targets, ElementsAre("model.layers.1.mlp.up_proj"));
}

TEST_F(AdapterFolder, WithWhatTheEngineDoesNotDoIsRefusedByKey) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"use_dora", true},
                                                 {"bias", "all"},
                                                 {"rank_pattern", {{"q_proj", 8}}},
                                                 {"modules_to_save", Json::array({"lm_head"})},
                                                 {"peft_type", "IA3"},
                                                 {"arrow_config", {{"top_k", 2}}},
                                                 {"of_a_later_peft", true},
                                                 {"init_lora_weights", "pissa"}}) {
    const Json before = parse_json(read_file(dir() / "adapter_config.json"), "").value(key, Json());
    change_config(key, value);
    EXPECT_THAT(refusal(), HasSubstr(key + " = " + value.dump() + " is not supported"));
    change_config(key, before);
  }
  EXPECT_EQ(refusal(), "no error");
}

TEST_F(AdapterFolder, OfAnotherModelOrRankIsRefusedByTensor) {
  ModelConfig narrow = tiny_config();
  narrow.hidden_size = 16;
  EXPECT_THAT(refusal(narrow),
              HasSubstr("q_proj.lora_A.weight is 4 x 32 where this model and rank ask for 4 x 16"));
  ModelConfig shallow = tiny_config();
  shallow.num_layers = 1;
  EXPECT_THAT(refusal(shallow), HasSubstr("layers.1.mlp.down_proj.lora_A.weight belongs to no linear"));
  change_config("r", 8);
  EXPECT_THAT(refusal(), HasSubstr("ask for 8 x 32"));
  change_config("r", 0);
  EXPECT_THAT(refusal(), HasSubstr("r must be a positive integer"));
}

TEST_F(AdapterFolder, WithoutAFileIsRefusedByName) {
  fs::remove(dir() / "adapter_model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("holds no adapter_model.safetensors"));
  fs::remove(dir() / "adapter_config.json");
  EXPECT_THAT(refusal(), HasSubstr("a PEFT adapter is needed"));
}

}  // namespace
}  // namespace rft::engine
