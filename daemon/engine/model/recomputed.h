// Gradient checkpointing: a part of the model that keeps its input alone, and is computed again when its
// gradient is asked for. It costs one more forward pass and saves all that the part's operations would keep;
// the numbers are the same, since the same operations run on the same input.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace rft::engine {

// function(x), whose backward pass runs `function` once more and goes backward through it: gradients go to x
// and, as ever, to the leaves that `function` uses. What it refers to must outlive the backward pass, which
// may be run once.
at::Tensor recomputed(std::function<at::Tensor(const at::Tensor&)> function, const at::Tensor& x);

}  // namespace rft::engine
