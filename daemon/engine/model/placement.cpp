#include "engine/model/placement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

namespace rft::engine {

Placer::Placer(const ModelConfig& config, at::Device device)
    : device_(device), rope_(config.rope, config.head_dim, device) {
  for (int64_t i = 0; i < config.num_layers; ++i) layers_.push_back(config.layer(i));
  if (config.local_rope) local_rope_.emplace(*config.local_rope, config.head_dim, device);
}

// `table` makes the angles of one embedding, `mask` what may be seen through one window.
template <class Table, class Mask>
std::vector<Placement> Placer::by_layer(const Table& table, const Mask& mask) const {
  std::map<PositionEmbedding, RopeTable> tables = {{PositionEmbedding::none, {}}};
  std::map<int64_t, at::Tensor> masks;
  std::vector<Placement> placements;
  for (const LayerSwitches& layer : layers_) {
    if (!tables.contains(layer.positions)) tables[layer.positions] = table(layer.positions);
    if (!masks.contains(layer.window)) masks[layer.window] = mask(layer.window);
    placements.push_back({tables[layer.positions], masks[layer.window], {}});
  }
  return placements;
}

std::vector<Placement> Placer::sequences(int64_t T, std::span<const int64_t> lengths) {
  return by_layer(
      [&](PositionEmbedding positions) { return tables(positions).of_sequences(T, lengths); },
      [&](int64_t window) {
        if (window == 0 || T <= window) return at::Tensor();
        return at::ones({T, T}, at::TensorOptions().dtype(at::kBool).device(device_)).tril().triu(1 - window);
      });
}

std::vector<Placement> Placer::unpadded(int64_t T, std::span<const int64_t> lengths, const Unpadded& tokens) {
  std::vector<Placement> placements = by_layer(
      [&](PositionEmbedding positions) {
        const RopeTable padded = tables(positions).of_sequences(T, lengths);
        auto rows = [&](const at::Tensor& table) {  // (N, R)
          return table.dim() == 2 ? table.index_select(0, tokens.places)
                                  : table.flatten(0, 2).index_select(0, tokens.tokens);
        };
        return RopeTable{rows(padded.cos), rows(padded.sin)};
      },
      [](int64_t) { return at::Tensor(); });
  for (Placement& placement : placements) placement.counts = tokens.counts;
  return placements;
}

std::vector<Placement> Placer::step(std::span<const int64_t> positions) {
  const int64_t T = *std::max_element(positions.begin(), positions.end()) + 1;
  const at::Tensor own =  // (B, 1, 1, 1)
      at::tensor(at::ArrayRef<int64_t>(positions.data(), positions.size()), at::kLong)
          .to(device_)
          .view({-1, 1, 1, 1});
  const at::Tensor all = at::arange(T, own.options());
  return by_layer(
      [&](PositionEmbedding embedding) {
        const RopeTable& steps = tables(embedding).of_steps(T);
        auto rows = [&](const at::Tensor& table) {  // (B, 1, 1, R)
          return table.index_select(0, own.flatten()).unsqueeze(1).unsqueeze(1);
        };
        return RopeTable{rows(steps.cos), rows(steps.sin)};
      },
      [&](int64_t window) {
        const at::Tensor before = all <= own;  // (B, 1, 1, T)
        return window == 0 ? before : before.logical_and(all > own - window);
      });
}

}  // namespace rft::engine
