#include "engine/optim/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "base/error.h"

namespace rft::engine {

double clip_by_global_norm(const std::vector<at::Tensor>& gradients, double max_norm) {
  if (gradients.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(gradients, 2)).norm().item<double>();
  if (max_norm > 0 && std::isfinite(norm) && norm > max_norm) at::_foreach_mul_(gradients, max_norm / norm);
  return norm;
}

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {}

const AdamWState& AdamW::state() const {
  for (size_t i = state_.first_moments.size(); i < parameters_.size(); ++i) {
    state_.first_moments.push_back(at::zeros_like(parameters_[i], at::MemoryFormat::Contiguous).detach());
    state_.second_moments.push_back(at::zeros_like(parameters_[i], at::MemoryFormat::Contiguous).detach());
  }
  return state_;
}

AdamW::Step AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  Step result;
  result.grad_norm = clip_by_global_norm(gradients, options_.max_grad_norm);
  result.skipped = !std::isfinite(result.grad_norm);
  if (!result.skipped) {
    const AdamWState& moments = this->state();
    ++state_.num_steps;
    for (const bool decays : {true, false}) {
      std::vector<at::Tensor> weights, slopes, first, second;
      for (size_t i = 0; i < parameters_.size(); ++i) {
        if (!parameters_[i].grad().defined() || (parameters_[i].dim() >= 2) != decays) continue;
        weights.push_back(parameters_[i]);
        slopes.push_back(parameters_[i].grad());
        first.push_back(moments.first_moments[i]);
        second.push_back(moments.second_moments[i]);
      }
      if (weights.empty()) continue;
      const at::Tensor step = at::full({}, static_cast<double>(state_.num_steps), at::kFloat);
      at::_fused_adamw_(weights, slopes, first, second, {}, std::vector<at::Tensor>(weights.size(), step),
                        learning_rate, options_.beta1, options_.beta2, decays ? options_.weight_decay : 0,
                        options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    }
  }
  drop_gradients();
  return result;
}

void AdamW::drop_gradients() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

void AdamW::restore(const AdamWState& state) {
  const auto fits = [this](const std::vector<at::Tensor>& moments) {
    if (moments.size() != parameters_.size()) return false;
    for (size_t i = 0; i < moments.size(); ++i) {
      if (moments[i].sizes() != parameters_[i].sizes() || moments[i].scalar_type() != at::kFloat)
        return false;
    }
    return true;
  };
  if (!fits(state.first_moments) || !fits(state.second_moments) || state.num_steps < 0) {
    throw Error(ErrorCode::invalid_argument, "the optimiser's state is of another model");
  }
  const AdamWState& moments = this->state();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    moments.first_moments[i].copy_(state.first_moments[i]);
    moments.second_moments[i].copy_(state.second_moments[i]);
  }
  state_.num_steps = state.num_steps;
}

}  // namespace rft::engine
