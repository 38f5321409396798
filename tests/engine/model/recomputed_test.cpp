#include "engine/model/recomputed.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/model/kernels.h"
#include "engine/support/allocation_meter.h"
#include "engine/support/tiny_model.h"

namespace rft::engine {
namespace {

std::vector<at::Tensor> take_gradients(const Decoder& decoder) {
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& parameter : decoder.parameters()) {
    gradients.push_back(parameter.tensor.grad().clone());
    at::Tensor(parameter.tensor).mutable_grad() = at::Tensor();
  }
  return gradients;
}

// The gradients of two batches, one after the other, of a loss that is no plain sum.
std::vector<at::Tensor> gradients_of(const Decoder& decoder) {
  for (const uint64_t seed : {3, 4}) {
    const at::Tensor ids = at::tensor(some_ids(36, seed), at::kLong).view({3, 12});
    decoder.logits(decoder.hidden_states(ids)).square().mean().backward();
  }
  return take_gradients(decoder);
}

TEST(GradientCheckpointing, GivesTheSameGradientsBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto plain = tiny_decoder(7, dtype);
    Decoder checkpointed(plain->config(), plain->parameters(),
                         {.compute_dtype = dtype, .gradient_checkpointing = true});
    const auto expected = gradients_of(*plain), found = gradients_of(checkpointed);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(at::equal(expected[i], found[i])) << plain->parameters()[i].name;
  }
}

TEST(GradientCheckpointing, ReachesLeavesBehindAnInputThatNeedsNoGradient) {
  const at::Tensor weight = at::ones({3}).requires_grad_(), x = at::arange(3, at::kFloat);
  recomputed([&](const at::Tensor& input) { return input * weight; }, x).sum().backward();
  EXPECT_TRUE(at::equal(weight.grad(), x));
}

TEST(GradientCheckpointing, ComputesNothingTwiceWithoutGradients) {
  const auto plain = tiny_decoder();
  const Decoder checkpointed(plain->config(), plain->parameters(), {.gradient_checkpointing = true});
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::tensor(some_ids(12, 3), at::kLong).view({1, 12});
  EXPECT_FALSE(checkpointed.hidden_states(ids).requires_grad());
  EXPECT_TRUE(at::equal(checkpointed.hidden_states(ids), plain->hidden_states(ids)));
}

// The last layer leaves out what follows attention elsewhere: the same states and the same gradients.
TEST(StatesAt, AreThoseOfAllPositions) {
  const at::Tensor ids = at::tensor(some_ids(24, 3), at::kLong).view({2, 12});
  const at::Tensor positions = at::tensor({7, 2, 23, 12}, at::kLong);
  for (const bool checkpointing : {false, true}) {
    const auto plain = tiny_decoder(7, at::kFloat, tiny_config());
    const Decoder decoder(tiny_config(), plain->parameters(), {.gradient_checkpointing = checkpointing});
    const auto gradients = [&](const at::Tensor& states) {  // (M, H)
      states.square().sum().backward();
      return take_gradients(decoder);
    };
    const at::Tensor all = decoder.hidden_states(ids).flatten(0, 1).index_select(0, positions);
    const at::Tensor some = decoder.states_at(ids, {}, positions);
    EXPECT_LT((all - some).abs().max().item<double>(), 1e-5);
    const std::vector<at::Tensor> expected = gradients(all), actual = gradients(some);
    for (size_t i = 0; i < expected.size(); ++i) {
      const double scale = expected[i].abs().max().item<double>();
      EXPECT_LT((expected[i] - actual[i]).abs().max().item<double>(), 1e-5 * scale + 1e-6) << i;
    }
  }
}

TEST(StatesAt, AreThoseOfAllPositionsThroughAWindow) {
  ModelConfig config = tiny_config();
  config.layers = {{.window = 4}, {}};
  const auto decoder = tiny_decoder(7, at::kFloat, config);
  EXPECT_EQ(decoder->pads(4), !kernels::available_f32());
  EXPECT_TRUE(decoder->pads(12));
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::tensor(some_ids(24, 3), at::kLong).view({2, 12});
  const at::Tensor positions = at::tensor({7, 2, 23, 12}, at::kLong);
  EXPECT_LT(largest_difference(decoder->hidden_states(ids).flatten(0, 1).index_select(0, positions),
                               decoder->states_at(ids, {}, positions)),
            1e-5);
}

TEST(GradientCheckpointing, KeepsMuchLessForTheBackwardPass) {
  ModelConfig config = tiny_config();
  config.num_layers = 12;
  const auto plain = tiny_decoder(7, at::kFloat, config);
  const Decoder checkpointed(config, plain->parameters(), {.gradient_checkpointing = true});
  const at::Tensor ids = at::tensor(some_ids(600, 3), at::kLong).view({6, 100});
  AllocationMeter& meter = AllocationMeter::get();
  const auto kept = [&](const Decoder& decoder) {
    meter.restart();
    const at::Tensor hidden = decoder.hidden_states(ids);
    return meter.now();
  };
  EXPECT_LT(5 * kept(checkpointed), kept(*plain));
}

}  // namespace
}  // namespace rft::engine
