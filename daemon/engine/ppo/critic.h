// The critic: what the episode is worth from each position on. It reads the last hidden state of the policy
// itself, or, as a value model of its own, of a second decoder that begins with the policy's weights: twice
// the memory and more than twice the time of an update, for values that do not pull at the policy's trunk.
#pragma once

#include <memory>

#include "engine/ppo/value_head.h"

namespace rft::engine {

class Decoder;

struct Critic {
  ValueHead head;
  std::shared_ptr<Decoder> trunk;  // null: the policy's own

  // The head where it reads the policy's states, else null.
  const ValueHead* shared_head() const { return trunk == nullptr ? &head : nullptr; }
};

}  // namespace rft::engine
