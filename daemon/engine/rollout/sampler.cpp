#include "engine/rollout/sampler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "engine/model/kernels.h"

namespace rft::engine {
namespace {

using kernels::kSumBlock;

// The sums of a row's weights exp((x − largest) / temperature): everything that both the draw and the
// log-prob need, from two passes over the row.
struct RowSums {
  float largest;
  double total;
  std::vector<float> blocks;  // of kSumBlock weights each
};

// kernels::exp_sums for a CPU without its instructions.
double plain_exp_sums(const float* row, int64_t V, float shift, float scale, float* blocks) {
  double total = 0;
  for (int64_t begin = 0; begin < V; begin += kSumBlock) {
    float sum = 0;
    for (int64_t v = begin; v < std::min(V, begin + kSumBlock); ++v)
      sum += std::exp((row[v] - shift) * scale);
    blocks[begin / kSumBlock] = sum;
    total += sum;
  }
  return total;
}

RowSums sum_row(const float* row, int64_t V, double temperature) {
  const bool fast = kernels::available_f32();
  RowSums sums{fast ? kernels::largest(row, V) : *std::max_element(row, row + V), 0,
               std::vector<float>(static_cast<size_t>((V + kSumBlock - 1) / kSumBlock))};
  sums.total = (fast ? kernels::exp_sums : plain_exp_sums)(
      row, V, sums.largest, static_cast<float>(1 / temperature), sums.blocks.data());
  if (!std::isfinite(sums.total)) {
    throw Error(ErrorCode::invalid_argument,
                "the model's logits are not finite: it has diverged; a lower learning_rate may help");
  }
  return sums;
}

// The first token at which the running sum of weights passes uniform · total. The block is found first, so
// that only its weights are computed again.
int64_t draw_by_inverse_cdf(const float* row, int64_t V, double temperature, const RowSums& sums,
                            double uniform) {
  const double target = uniform * sums.total;
  double reached = 0;
  size_t block = 0;
  while (block + 1 < sums.blocks.size() && reached + sums.blocks[block] <= target)
    reached += sums.blocks[block++];
  const auto begin = static_cast<int64_t>(block) * kSumBlock, end = std::min(V, begin + kSumBlock);
  int64_t last_possible = begin;  // rounding may leave the target beyond the block's end
  for (int64_t v = begin; v < end; ++v) {
    const double weight = std::exp((static_cast<double>(row[v]) - sums.largest) / temperature);
    reached += weight;
    if (reached > target) return v;
    if (weight > 0) last_possible = v;
  }
  return last_possible;
}

// The tokens that top-k and top-p leave, in falling order of probability.
std::vector<int64_t> kept_tokens(const float* row, int64_t V, const SamplingFilter& filter) {
  std::vector<int64_t> order(static_cast<size_t>(V));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [row](int64_t a, int64_t b) { return row[a] > row[b]; });
  if (filter.top_k > 0 && filter.top_k < V) {
    const float least = row[order[static_cast<size_t>(filter.top_k) - 1]];
    while (row[order.back()] < least) order.pop_back();
  }
  if (filter.top_p >= 1) return order;
  auto weight = [&](int64_t v) {
    return std::exp((static_cast<double>(row[v]) - row[order[0]]) / filter.temperature);
  };
  double total = 0, reached = 0;
  for (const int64_t v : order) total += weight(v);
  size_t count = 0;
  while (count < order.size() && reached < filter.top_p * total) reached += weight(order[count++]);
  order.resize(std::max<size_t>(count, 1));
  return order;
}

int64_t draw_filtered(const float* row, int64_t V, const SamplingFilter& filter, double uniform) {
  std::vector<int64_t> kept = kept_tokens(row, V, filter);
  std::sort(kept.begin(), kept.end());  // by token, as without a filter
  std::vector<double> weights;
  weights.reserve(kept.size());
  const float largest = row[*std::max_element(kept.begin(), kept.end(),
                                              [row](int64_t a, int64_t b) { return row[a] < row[b]; })];
  for (const int64_t v : kept)
    weights.push_back(std::exp((static_cast<double>(row[v]) - largest) / filter.temperature));
  const double target = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  double reached = 0;
  for (size_t i = 0; i + 1 < kept.size(); ++i) {
    reached += weights[i];
    if (reached > target) return kept[i];
  }
  return kept.back();
}

}  // namespace

Draw sample(const at::Tensor& logits, const SamplingFilter& filter, std::span<const double> uniforms) {
  const int64_t B = logits.size(0), V = logits.size(1);
  const bool greedy = filter.temperature == 0;
  const bool filtered = !greedy && (filter.top_k > 0 || filter.top_p < 1);
  const double temperature = greedy ? 1 : filter.temperature;
  Draw draw{std::vector<int64_t>(static_cast<size_t>(B)), std::vector<float>(static_cast<size_t>(B))};
  at::parallel_for(0, B, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float* row = logits.const_data_ptr<float>() + b * V;
      const RowSums sums = sum_row(row, V, temperature);
      const int64_t id = greedy     ? std::find(row, row + V, sums.largest) - row
                         : filtered ? draw_filtered(row, V, filter, uniforms[b])
                                    : draw_by_inverse_cdf(row, V, temperature, sums, uniforms[b]);
      draw.ids[b] = id;
      draw.log_probs[b] = static_cast<float>((static_cast<double>(row[id]) - sums.largest) / temperature -
                                             std::log(sums.total));
    }
  });
  return draw;
}

}  // namespace rft::engine
