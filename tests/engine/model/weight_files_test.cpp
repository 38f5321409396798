// What weights cost on their way in and out: the masters, and one tensor at a time.
#include "engine/model/weight_files.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "engine/support/allocation_meter.h"
#include "engine/support/tiny_model.h"
#include "support/temp_dir.h"

namespace rft::engine {
namespace {

struct Sizes {
  int64_t all = 0, largest = 0;  // bytes in float32
};

Sizes sizes_of(const Decoder& decoder) {
  Sizes sizes;
  for (const NamedTensor& parameter : decoder.parameters()) {
    const auto bytes = static_cast<int64_t>(parameter.tensor.nbytes());
    sizes.all += bytes;
    sizes.largest = std::max(sizes.largest, bytes);
  }
  return sizes;
}

TEST(WeightFiles, LoadingHoldsTheMastersAndOneStoredTensor) {
  const TempDir dir;
  AllocationMeter& meter = AllocationMeter::get();
  const auto decoder = tiny_decoder();
  write_file_atomically(dir / "config.json", dump_json(to_config_json(decoder->config())));
  decoder->save_weights(dir.path(), at::kBFloat16);
  const Sizes sizes = sizes_of(*decoder);

  meter.restart();
  const auto loaded = Decoder::load(dir.path(), {});
  EXPECT_GE(meter.peak(), sizes.all);
  EXPECT_LE(meter.peak(), sizes.all + sizes.largest / 2);
}

TEST(WeightFiles, SavingHoldsOneConvertedTensor) {
  const TempDir dir;
  AllocationMeter& meter = AllocationMeter::get();
  const auto decoder = tiny_decoder();
  meter.restart();
  decoder->save_weights(dir.path(), at::kBFloat16);
  EXPECT_LE(meter.peak(), sizes_of(*decoder).largest / 2);

  const auto stored = map_tensors(dir / "model.safetensors");
  ASSERT_EQ(stored.size(), decoder->parameters().size());
  for (size_t i = 0; i < stored.size(); ++i) {
    EXPECT_EQ(stored[i].name, decoder->parameters()[i].name);
    EXPECT_TRUE(at::equal(stored[i].tensor, decoder->parameters()[i].tensor.to(at::kBFloat16)));
  }
}

TEST(WeightFiles, WhatIsCarriedKeepsItsOwnDtype) {
  const TempDir dir;
  const NamedTensor tower{"vision_tower.weight", at::arange(4, at::kHalf)};
  tiny_decoder()->save_weights(dir.path(), at::kBFloat16, {&tower, 1});
  const auto stored = map_tensors(dir / "model.safetensors");
  EXPECT_EQ(stored.front().tensor.scalar_type(), at::kBFloat16);
  EXPECT_EQ(stored.back().name, tower.name);
  EXPECT_EQ(stored.back().tensor.scalar_type(), at::kHalf);
}

TEST(WeightFiles, MappedTensorsTakeNoMemoryOfTheirOwnAndOutliveTheirFile) {
  const TempDir dir;
  const auto decoder = tiny_decoder();
  decoder->save_weights(dir.path());
  AllocationMeter& meter = AllocationMeter::get();
  meter.restart();
  const auto mapped = map_tensors(dir / "model.safetensors");
  EXPECT_EQ(meter.peak(), 0);
  std::filesystem::remove(dir / "model.safetensors");
  EXPECT_TRUE(at::equal(mapped.back().tensor, decoder->parameters().back().tensor));
}

}  // namespace
}  // namespace rft::engine
