// Where the tokens of a pass stand: the angles of their rotary embeddings and what each may look at, for
// every layer of a model. Layers that are alike share tensors. Not thread-safe: tables grow as they are asked
// for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/layer.h"
#include "engine/model/model_config.h"
#include "engine/model/rope.h"
#include "engine/model/unpadded.h"

namespace rft::engine {

class Placer {
 public:
  Placer(const ModelConfig& config, at::Device device);

  // By layer, for T positions of each row; `lengths` are those of the rows without their padding.
  std::vector<Placement> sequences(int64_t T, std::span<const int64_t> lengths);

  // The same without padding: a batch of (B, T) as the one row that `tokens` says. No layer's window is below
  // T.
  std::vector<Placement> unpadded(int64_t T, std::span<const int64_t> lengths, const Unpadded& tokens);

  // By layer, for one token of each row, which stands at positions[b].
  std::vector<Placement> step(std::span<const int64_t> positions);

  // The angles of every position, for a step.
  const RopeTable& step_table(int64_t num_positions) { return rope_.of_steps(num_positions); }

 private:
  RopeTables& tables(PositionEmbedding positions) {
    return positions == PositionEmbedding::local_rope ? *local_rope_ : rope_;
  }
  template <class Table, class Mask>
  std::vector<Placement> by_layer(const Table& table, const Mask& mask) const;

  std::vector<LayerSwitches> layers_;
  at::Device device_;
  RopeTables rope_;
  std::optional<RopeTables> local_rope_;
};

}  // namespace rft::engine
