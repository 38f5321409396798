// AdamW with the gradient clipped by its global norm. The moments live here, the weights elsewhere: the
// optimiser is given their tensors once and changes them in place. The moments take memory from the first
// step on, so that an optimiser that waits for its turn costs nothing. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace rft::engine {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-5;     // larger than Adam's usual 1e-8: PPO's gradients are small and noisy
  double weight_decay = 0;   // decoupled; only of tensors with two or more dimensions
  double max_grad_norm = 0;  // over all tensors together; 0: no clipping
};

// What is saved of an optimiser, and put back bit for bit. Tensors in the order of the parameters.
struct AdamWState {
  std::vector<at::Tensor> first_moments;
  std::vector<at::Tensor> second_moments;
  int64_t num_steps = 0;
};

class AdamW {
 public:
  struct Step {
    double grad_norm = 0;  // before clipping
    bool skipped = false;  // the norm was not finite: nothing was changed
  };

  // `parameters` are float32 leaves whose gradients backward() fills in.
  AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options);

  // One step down the gradients that are there, which it uses up: afterwards there are none.
  Step step(double learning_rate);
  void drop_gradients();

  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  const AdamWState& state() const;
  // Takes over a state of the same shapes (copied). Throws Error(invalid_argument) for any other.
  void restore(const AdamWState& state);

 private:
  std::vector<at::Tensor> parameters_;
  AdamWOptions options_;
  mutable AdamWState state_;  // its moments are made when they are first asked for
};

// The Euclidean norm of all gradients together, and the gradients scaled in place so that it is at most
// `max_norm` (0: left as they are). A norm that is not finite leaves them as they are.
double clip_by_global_norm(const std::vector<at::Tensor>& gradients, double max_norm);

}  // namespace rft::engine
