// Which episodes of an iteration count in the loss, and which are compared with each other; decided from the
// scores alone, before any model is asked.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/ppo/episode.h"
#include "engine/ppo/options.h"

namespace rft::engine {

// What becomes of an episode. One that was cut under MissingEos::mask takes no part at all: it is not
// compared with either. A group estimator leaves out an episode that is alone in its group and, where
// drop_equal_groups asks for it, groups whose scores are all equal, unless there are no others.
enum class Standing { counts, masked, alone, equal };

struct Selection {
  at::Tensor scores;               // (N) float32, as paid
  std::vector<int64_t> groups;     // (N) from 0; a masked episode is a group of its own
  std::vector<Standing> standing;  // (N)
  int64_t num_equal_groups = 0;    // of two or more, whose scores are all equal: they carry no signal
  int64_t num_uneven_groups = 0;   // of two or more, whose scores differ
};

Selection select_episodes(std::span<const Episode> episodes, const PpoOptions& options);

}  // namespace rft::engine
