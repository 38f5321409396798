#include "engine/model/causal_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace rft::engine {
namespace {

struct Inputs {
  at::Tensor q, k, v;  // (B, T, A, D), (B, T, K, D), (B, T, K, D): as the projections write them
};

Inputs random_inputs(int64_t T, int64_t D, int64_t num_heads, int64_t num_kv_heads) {
  at::manual_seed(T * D);
  const auto heads = [&](int64_t count) { return at::randn({2, T, count, D}).requires_grad_(); };
  return {heads(num_heads), heads(num_kv_heads), heads(num_kv_heads)};
}

// The value and the gradients of q, k and v under one and the same slope.
std::vector<at::Tensor> value_and_gradients(const decltype(causal_attention)& attention, const Inputs& inputs,
                                            double scale) {
  for (at::Tensor x : {inputs.q, inputs.k, inputs.v}) x.mutable_grad() = at::Tensor();
  const at::Tensor value =
      attention(inputs.q.transpose(1, 2), inputs.k.transpose(1, 2), inputs.v.transpose(1, 2), scale, {});
  at::manual_seed(7);
  value.backward(at::randn(value.sizes()));
  return {value.detach(), inputs.q.grad(), inputs.k.grad(), inputs.v.grad()};
}

void expect_the_references(int64_t T, int64_t D, int64_t num_heads, int64_t num_kv_heads, double scale) {
  const Inputs inputs = random_inputs(T, D, num_heads, num_kv_heads);
  const auto fused = value_and_gradients(causal_attention, inputs, scale);
  const auto slow = value_and_gradients(reference::causal_attention, inputs, scale);
  for (size_t i = 0; i < slow.size(); ++i) {
    ASSERT_EQ(fused[i].sizes(), slow[i].sizes());
    EXPECT_LT((fused[i] - slow[i]).abs().max().item<double>(),
              2e-6 * (1 + slow[i].abs().max().item<double>()))
        << "output " << i << " (0: the value; then the gradients), T " << T << ", D " << D;
  }
}

// Lengths on both sides of the tiles' 12 rows, the panels' 32 columns and the backward pass's 48 queries.
TEST(CausalAttention, IsTheReferencesForEveryLength) {
  for (const int64_t T : {1, 2, 11, 12, 13, 31, 32, 33, 47, 48, 49, 87, 96, 130})
    expect_the_references(T, 32, 4, 4, 0.2);
}

TEST(CausalAttention, IsTheReferencesForEveryWidth) {
  for (const int64_t D : {1, 16, 24, 48, 64, 80, 128}) expect_the_references(50, D, 4, 4, 0.1);
}

TEST(CausalAttention, SharesKeysAndValuesAmongQueryHeads) {
  expect_the_references(37, 16, 6, 2, 0.25);
  expect_the_references(64, 32, 8, 1, 0.25);
}

TEST(CausalAttention, KeepsItsValuesWhereScoresAreLarge) { expect_the_references(60, 32, 2, 2, 8); }

TEST(CausalAttention, TakesPartsOfOneProjection) {
  at::manual_seed(3);
  const at::Tensor qkv = at::randn({2, 20, 3 * 32});
  const auto part = [&](int64_t i) { return qkv.narrow(2, 32 * i, 32).view({2, 20, 2, 16}).transpose(1, 2); };
  const at::Tensor fused = causal_attention(part(0), part(1), part(2), 0.3);
  EXPECT_LT((fused - reference::causal_attention(part(0), part(1), part(2), 0.3)).abs().max().item<double>(),
            1e-5);
}

TEST(CausalAttention, SequencesBehindEachOtherAreEachByItself) {
  const std::vector<int64_t> counts = {5, 17, 1, 40};
  at::manual_seed(4);
  const auto row = [](int64_t heads) { return at::randn({1, 63, heads, 32}).transpose(1, 2); };
  const at::Tensor q = row(4), k = row(2), v = row(2);
  const at::Tensor slope = row(4);
  const auto run = [&](const decltype(causal_attention)& attention) {
    std::vector<at::Tensor> leaves, all;
    for (const at::Tensor& x : {q, k, v}) leaves.push_back(x.detach().requires_grad_());
    const at::Tensor value = attention(leaves[0], leaves[1], leaves[2], 0.2, counts);
    value.backward(slope);
    all.push_back(value.detach());
    for (const at::Tensor& leaf : leaves) all.push_back(leaf.grad());
    return all;
  };
  const auto fused = run(causal_attention), slow = run(reference::causal_attention);
  for (size_t i = 0; i < slow.size(); ++i)
    EXPECT_LT((fused[i] - slow[i]).abs().max().item<double>(), 1e-5) << "output " << i;
}

TEST(CausalAttention, IsTheSameBitForBitEachTime) {
  const Inputs inputs = random_inputs(70, 32, 4, 2);
  const auto first = value_and_gradients(causal_attention, inputs, 0.2);
  const auto again = value_and_gradients(causal_attention, inputs, 0.2);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], again[i])) << "output " << i;
}

}  // namespace
}  // namespace rft::engine
