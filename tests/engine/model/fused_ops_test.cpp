#include "engine/model/fused_ops.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace rft::engine {
namespace {

at::Tensor wave(at::IntArrayRef shape, double salt) {
  const int64_t count = c10::multiply_integers(shape);
  return at::sin(at::arange(count, at::kFloat) * 0.7 + salt).mul(2).view(shape);
}

// What an operation answers, and the gradients of its inputs under one and the same slope.
std::vector<at::Tensor> value_and_gradients(const std::function<at::Tensor()>& operation,
                                            const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves = inputs;
  for (at::Tensor& leaf : leaves) {
    leaf.requires_grad_();
    leaf.mutable_grad() = at::Tensor();
  }
  const at::Tensor value = operation();
  value.backward(wave(value.sizes(), 0.3));
  std::vector<at::Tensor> all = {value.detach()};
  for (const at::Tensor& leaf : leaves) all.push_back(leaf.grad());
  return all;
}

void expect_alike(const std::vector<at::Tensor>& fused, const std::vector<at::Tensor>& slow) {
  ASSERT_EQ(fused.size(), slow.size());
  for (size_t i = 0; i < fused.size(); ++i) {
    ASSERT_EQ(fused[i].sizes(), slow[i].sizes());
    EXPECT_LT((fused[i] - slow[i]).abs().max().item<double>(),
              2e-6 * (1 + slow[i].abs().max().item<double>()))
        << "output " << i << " (0: the value; then the gradients)";
  }
}

TEST(FusedOps, RmsNormIsTheReferences) {
  for (const int64_t H : {16, 37, 256}) {
    const at::Tensor x = wave({3, 29, H}, 1), weight = wave({H}, 2);
    expect_alike(value_and_gradients([&] { return rms_norm(x, weight, 1e-5); }, {x, weight}),
                 value_and_gradients([&] { return reference::rms_norm(x, weight, 1e-5); }, {x, weight}));
  }
}

TEST(FusedOps, RmsNormTakesRowsThatAreNotContiguous) {
  const at::Tensor x = wave({2, 5, 4, 16}, 1), weight = wave({16}, 2);
  expect_alike(
      value_and_gradients([&] { return rms_norm(x.transpose(1, 2), weight, 1e-5); }, {x, weight}),
      value_and_gradients([&] { return reference::rms_norm(x.transpose(1, 2), weight, 1e-5); }, {x, weight}));
}

TEST(FusedOps, SiluProductIsTheReferences) {
  const at::Tensor gate = wave({7, 11, 43}, 1) * 20, up = wave({7, 11, 43}, 2);
  expect_alike(value_and_gradients([&] { return silu_product(gate, up); }, {gate, up}),
               value_and_gradients([&] { return reference::silu_product(gate, up); }, {gate, up}));
}

TEST(FusedOps, SiluProductTakesHalvesOfOneMatrix) {
  const at::Tensor both = wave({7, 32}, 1);
  auto halves = [&](const auto& product) {
    return value_and_gradients([&] { return product(both.narrow(1, 0, 16), both.narrow(1, 16, 16)); },
                               {both});
  };
  expect_alike(halves(silu_product), halves(reference::silu_product));
}

TEST(FusedOps, JointLinearIsEachLinearByItself) {
  const at::Tensor x = wave({3, 5, 16}, 1), first = wave({24, 16}, 2), second = wave({8, 16}, 3);
  expect_alike(value_and_gradients(
                   [&] {
                     return at::cat(joint_linear(x, {first, second}), -1);
                   },
                   {x, first, second}),
               value_and_gradients(
                   [&] {
                     return at::cat({at::linear(x, first), at::linear(x, second)}, -1);
                   },
                   {x, first, second}));
}

TEST(FusedOps, RotationIsTheReferences) {
  for (const int64_t R : {8, 32, 48}) {               // of 48: partial and whole
    const at::Tensor heads = wave({2, 9, 3, 48}, 1);  // (B, T, A, D)
    const at::Tensor half = wave({9, R / 2}, 3);
    const at::Tensor cos = at::cat({half.cos(), half.cos()}, -1), sin = at::cat({half.sin(), half.sin()}, -1);
    expect_alike(
        value_and_gradients([&] { return rotate(heads.transpose(1, 2), cos, sin); }, {heads}),
        value_and_gradients([&] { return reference::rotate(heads.transpose(1, 2), cos, sin); }, {heads}));
  }
}

TEST(FusedOps, RotationWithATablePerRowIsTheReferences) {
  const at::Tensor x = wave({3, 2, 1, 16}, 1), half = wave({3, 1, 1, 8}, 3);
  const at::Tensor cos = at::cat({half.cos(), half.cos()}, -1), sin = at::cat({half.sin(), half.sin()}, -1);
  EXPECT_TRUE(at::equal(rotate(x, cos, sin), reference::rotate(x, cos, sin)));
}

}  // namespace
}  // namespace rft::engine
