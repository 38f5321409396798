#include "engine/model/model_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "engine/model/export_model.h"
#include "engine/model/weight_files.h"
#include "engine/support/tiny_model.h"
#include "support/temp_dir.h"

namespace rft::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void write_model(const std::filesystem::path& dir, const Decoder& decoder,
                 at::ScalarType dtype = at::kFloat) {
  write_file_atomically(dir / "config.json", dump_json(to_config_json(decoder.config())));
  decoder.save_weights(dir, dtype);
}

std::string reason_of(const std::filesystem::path& dir) {
  try {
    check_model(dir);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ModelSummary, TellsWhatAFolderHolds) {
  const TempDir dir;
  const auto decoder = tiny_decoder();
  write_model(dir.path(), *decoder, at::kBFloat16);
  write_file_atomically(dir / "tokenizer_config.json", R"({"chat_template": "{{ messages }}"})");
  const ModelSummary summary = check_model(dir.path());
  int64_t expected = 0;
  for (const NamedTensor& parameter : decoder->parameters()) expected += parameter.tensor.numel();
  EXPECT_EQ(summary.num_parameters, expected);
  EXPECT_EQ(summary.stored_dtype, "bfloat16");
  EXPECT_EQ(summary.num_layers, 2);
  EXPECT_EQ(summary.vocab_size, 61);
  EXPECT_THAT(summary.eos_token_ids, ElementsAre(1));
  EXPECT_TRUE(summary.has_chat_template);
  EXPECT_THAT(summary.no_tokenizer, HasSubstr("has no tokenizer.json"));
  EXPECT_THAT(summary.unsupported, IsEmpty());
}

TEST(ModelSummary, AMissingAMisshapenAndAStrangeWeightAreNamed) {
  const TempDir dir;
  const auto decoder = tiny_decoder();
  write_model(dir.path(), *decoder);
  std::vector<NamedTensor> tensors = map_tensors(dir / "model.safetensors");
  const NamedTensor first = tensors.front();

  tensors.front() = {first.name, at::zeros({3, 5})};
  write_tensors(dir / "model.safetensors", tensors);
  EXPECT_THAT(reason_of(dir.path()), HasSubstr(first.name + " is 3 x 5"));

  tensors.front() = {"model.extra.weight", at::zeros({2})};
  write_tensors(dir / "model.safetensors", tensors);
  EXPECT_THAT(reason_of(dir.path()), HasSubstr("hold no " + first.name));

  tensors.push_back(first);
  write_tensors(dir / "model.safetensors", tensors);
  EXPECT_THAT(check_model(dir.path()).unsupported, ElementsAre(HasSubstr("model.extra.weight")));
  EXPECT_THROW(Decoder::load(dir.path(), {}), Error);
}

TEST(ModelSummary, ATiedHeadMayBeStoredAsTheEmbeddingsCopyButNotAsAnother) {
  const TempDir dir;
  const auto decoder = tiny_decoder();
  ASSERT_TRUE(decoder->config().tie_word_embeddings);
  write_model(dir.path(), *decoder);
  std::vector<NamedTensor> tensors = map_tensors(dir / "model.safetensors");
  const auto embedding = std::ranges::find(tensors, "model.embed_tokens.weight", &NamedTensor::name);
  tensors.push_back({"lm_head.weight", embedding->tensor.clone()});
  write_tensors(dir / "model.safetensors", tensors);
  EXPECT_THAT(check_model(dir.path()).unsupported, IsEmpty());

  tensors.back().tensor[60][31] += 1;
  write_tensors(dir / "model.safetensors", tensors);
  EXPECT_THAT(check_model(dir.path()).unsupported, ElementsAre(HasSubstr("tie_word_embeddings = true")));
  EXPECT_THROW(Decoder::load(dir.path(), {}), Error);
}

TEST(ModelSummary, AnAdapterInTheFolderOfAModelIsNotOverlooked) {
  const TempDir dir;
  write_model(dir.path(), *tiny_decoder());
  write_file_atomically(dir / "adapter_config.json", "{}");
  EXPECT_THAT(check_model(dir.path()).unsupported,
              ElementsAre(HasSubstr("adapter_config.json beside config.json")));
  EXPECT_THROW(Decoder::load(dir.path(), {}), Error);
}

TEST(ModelSummary, ShardsMustBePlainNamesThatHoldWhatTheIndexSays) {
  const TempDir dir;
  const auto decoder = tiny_decoder();
  write_model(dir.path(), *decoder);
  const std::vector<NamedTensor> all = map_tensors(dir / "model.safetensors");
  std::filesystem::remove(dir / "model.safetensors");
  EXPECT_THAT(reason_of(dir.path()), HasSubstr("no model.safetensors"));

  const size_t half = all.size() / 2;
  write_tensors(dir / "a.safetensors", std::span(all).first(half));
  write_tensors(dir / "b.safetensors", std::span(all).subspan(half));
  Json map = Json::object();
  for (size_t i = 0; i < all.size(); ++i) map[all[i].name] = i < half ? "a.safetensors" : "b.safetensors";
  auto write_index = [&] {
    write_file_atomically(dir / "model.safetensors.index.json", dump_json({{"weight_map", map}}));
  };
  write_index();
  EXPECT_THAT(check_model(dir.path()).unsupported, IsEmpty());
  const auto loaded = Decoder::load(dir.path(), {});
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_TRUE(loaded->parameters()[i].tensor.equal(decoder->parameters()[i].tensor)) << all[i].name;

  map[all[0].name] = "b.safetensors";
  write_index();
  EXPECT_THAT(reason_of(dir.path()), HasSubstr(all[0].name + " is not in b.safetensors"));
  map[all[0].name] = "../a.safetensors";
  write_index();
  EXPECT_THAT(reason_of(dir.path()), HasSubstr("not a plain file name"));
}

TEST(ExportModel, WritesTheBasesFilesAndTheDecodersWeightsInTheBasesDtype) {
  const TempDir dir;
  const auto base = dir / "base", target = dir / "target";
  std::filesystem::create_directory(base);
  const auto decoder = tiny_decoder();
  write_model(base, *decoder, at::kBFloat16);
  write_file_atomically(base / "tokenizer.json", "{}");
  write_file_atomically(base / "optimizer.pt", "not part of a model");
  {
    const at::NoGradGuard no_grad;
    for (const NamedTensor& parameter : decoder->parameters()) at::Tensor(parameter.tensor).mul_(2);
    decoder->weights_changed();
  }
  export_model(*decoder, base, target);
  EXPECT_EQ(read_file(target / "config.json"), read_file(base / "config.json"));
  EXPECT_TRUE(std::filesystem::exists(target / "tokenizer.json"));
  EXPECT_FALSE(std::filesystem::exists(target / "optimizer.pt"));
  EXPECT_EQ(check_model(target).stored_dtype, "bfloat16");
  const auto read_back = Decoder::load(target, {});
  for (size_t i = 0; i < decoder->parameters().size(); ++i)
    EXPECT_TRUE(read_back->parameters()[i].tensor.equal(
        decoder->parameters()[i].tensor.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_THROW(export_model(*decoder, base, target), Error);
}

}  // namespace
}  // namespace rft::engine
