#include "engine/rollout/sampler.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/counter_random.h"

namespace rft::engine {
namespace {

// The distribution that is sampled from, by the definition of each step and in double.
std::vector<double> reference_distribution(const at::Tensor& row, const SamplingFilter& filter) {
  const at::Tensor probs = at::softmax(row.to(at::kDouble) / filter.temperature, -1);
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t v = 0; v < row.numel(); ++v) order.push_back({-probs[v].item<double>(), v});
  std::sort(order.begin(), order.end());
  std::vector<double> kept(order.size(), 0.0);
  const size_t k = filter.top_k > 0 ? std::min<size_t>(filter.top_k, order.size()) : order.size();
  double in_top_k = 0, reached = 0, total = 0;
  for (size_t i = 0; i < k; ++i) in_top_k -= order[i].first;
  for (size_t i = 0; i < k && (i == 0 || reached < filter.top_p); ++i) {
    kept[order[i].second] = -order[i].first;
    reached -= order[i].first / in_top_k;
    total -= order[i].first;
  }
  for (double& p : kept) p /= total;
  return kept;
}

at::Tensor random_logits(int64_t B, int64_t V, uint64_t seed) {
  at::Tensor logits = at::empty({B, V}, at::kFloat);
  for (int64_t i = 0; i < B * V; ++i)
    logits.data_ptr<float>()[i] =
        static_cast<float>(6 * sampling_uniform(seed, 0, 0, 0, static_cast<uint32_t>(i)));
  return logits;
}

TEST(Sampler, DrawsTheTokenWhereTheRunningSumPassesTheUniformNumber) {
  for (const int64_t V : {1, 7, 256, 300, 5000}) {
    for (const SamplingFilter& filter :
         {SamplingFilter{1, 0, 1}, SamplingFilter{0.6, 0, 1}, SamplingFilter{1.3, 5, 1},
          SamplingFilter{1, 0, 0.7}, SamplingFilter{0.8, 40, 0.9}}) {
      const at::Tensor logits = random_logits(20, V, static_cast<uint64_t>(V));
      std::vector<double> uniforms;
      for (uint32_t b = 0; b < 20; ++b) uniforms.push_back(sampling_uniform(9, 0, 0, b, 0));
      const Draw draw = sample(logits, filter, uniforms);
      for (int64_t b = 0; b < 20; ++b) {
        const auto distribution = reference_distribution(logits[b], filter);
        double before = 0;
        for (int64_t v = 0; v < draw.ids[b]; ++v) before += distribution[v];
        // float sums of thousands of weights: a draw so near to a boundary may fall on its other side.
        EXPECT_LT(before, uniforms[b] + 1e-5) << "V " << V << " row " << b;
        EXPECT_GT(before + distribution[draw.ids[b]], uniforms[b] - 1e-5) << "V " << V << " row " << b;
        EXPECT_GT(distribution[draw.ids[b]], 0) << "V " << V << " row " << b;
      }
    }
  }
}

TEST(Sampler, LogProbsAreOfTheUncutDistribution) {
  const at::Tensor logits = random_logits(3, 4000, 1);
  const Draw draw = sample(logits, {0.7, 10, 0.8}, std::vector<double>{0.1, 0.5, 0.99});
  const at::Tensor log_probs = at::log_softmax(logits.to(at::kDouble) / 0.7, -1);
  for (int64_t b = 0; b < 3; ++b)
    EXPECT_NEAR(draw.log_probs[b], log_probs[b][draw.ids[b]].item<double>(), 2e-6);
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  at::Tensor logits = random_logits(1, 100, 2);
  logits[0][41] = 9;
  logits[0][87] = 9;
  const Draw draw = sample(logits, {0, 3, 0.5}, std::vector<double>{0.99});
  EXPECT_EQ(draw.ids[0], 41);
  EXPECT_NEAR(draw.log_probs[0], at::log_softmax(logits, -1)[0][41].item<float>(), 1e-5);
}

TEST(Sampler, TheLastUniformNumbersStillDrawPossibleTokens) {
  at::Tensor logits = at::full({1, 600}, -1000.0, at::kFloat);
  logits[0][3] = 1;
  logits[0][300] = 1;
  EXPECT_EQ(sample(logits, {}, std::vector<double>{1 - 1e-16}).ids[0], 300);
  EXPECT_EQ(sample(logits, {}, std::vector<double>{1e-16}).ids[0], 3);
}

TEST(Sampler, RefusesLogitsThatAreNotFinite) {
  at::Tensor logits = random_logits(2, 50, 3);
  logits[1][20] = std::nanf("");
  EXPECT_THROW(sample(logits, {}, std::vector<double>{0.5, 0.5}), Error);
}

}  // namespace
}  // namespace rft::engine
