#include "engine/rollout/sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rft::engine {
namespace {

int64_t first_largest(const float* row, int64_t V) { return std::max_element(row, row + V) - row; }

// Whether each token may be drawn; `scaled` are log-probs at the temperature.
std::vector<bool> allowed_tokens(const std::vector<double>& log_probs, const SamplingFilter& filter) {
  const auto V = static_cast<int64_t>(log_probs.size());
  std::vector<bool> allowed(log_probs.size(), true);
  if (filter.top_k <= 0 && filter.top_p >= 1) return allowed;
  std::vector<int64_t> order(log_probs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return log_probs[a] > log_probs[b]; });
  auto kept = V;
  if (filter.top_k > 0 && filter.top_k < V) {
    kept = filter.top_k;
    while (kept < V && log_probs[order[kept]] == log_probs[order[filter.top_k - 1]]) ++kept;
  }
  double total = 0, reached = 0;
  for (int64_t i = 0; i < kept; ++i) total += std::exp(log_probs[order[i]]);
  int64_t count = 0;
  while (count < kept && (count == 0 || reached < filter.top_p * total))
    reached += std::exp(log_probs[order[count++]]);
  for (int64_t i = count; i < V; ++i) allowed[order[i]] = false;
  return allowed;
}

}  // namespace

Draw sample(const at::Tensor& logits, const SamplingFilter& filter, std::span<const double> uniforms) {
  const int64_t B = logits.size(0), V = logits.size(1);
  Draw draw;
  for (int64_t b = 0; b < B; ++b) {
    const float* row = logits.const_data_ptr<float>() + b * V;
    const double temperature = filter.temperature > 0 ? filter.temperature : 1;
    const double largest = row[first_largest(row, V)];
    std::vector<double> log_probs(static_cast<size_t>(V));
    double total = 0;
    for (int64_t v = 0; v < V; ++v) total += std::exp(log_probs[v] = (row[v] - largest) / temperature);
    for (double& log_prob : log_probs) log_prob -= std::log(total);

    int64_t id = first_largest(row, V);
    if (filter.temperature > 0) {
      const std::vector<bool> allowed = allowed_tokens(log_probs, filter);
      double mass = 0, reached = 0;
      for (int64_t v = 0; v < V; ++v) mass += allowed[v] ? std::exp(log_probs[v]) : 0;
      for (int64_t v = 0; v < V && reached <= uniforms[b] * mass; ++v) {
        if (!allowed[v]) continue;
        reached += std::exp(log_probs[v]);
        id = v;
      }
    }
    draw.ids.push_back(id);
    draw.log_probs.push_back(static_cast<float>(log_probs[id]));
  }
  return draw;
}

}  // namespace rft::engine
