#include "engine/ppo/token_log_probs.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace rft::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor entropy_of(const at::Tensor& distribution /*(M, V) log-probs*/) {
  return -(distribution.exp() * distribution).sum(-1);
}

struct TokenLogProbsFunction : torch::autograd::Function<TokenLogProbsFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& targets,
                               double temperature, bool with_entropy) {
    const at::Tensor distribution = at::log_softmax(temperature == 1 ? logits : logits / temperature, -1);
    const at::Tensor chosen = distribution.gather(-1, targets.unsqueeze(-1)).squeeze(-1);
    const at::Tensor entropy = with_entropy ? entropy_of(distribution) : at::empty({0}, logits.options());
    context->save_for_backward({distribution, targets, entropy});
    context->saved_data["temperature"] = temperature;
    context->saved_data["with_entropy"] = with_entropy;
    return {chosen, entropy};
  }

  // With p the softmax: d log p_k / d z_j = 1[j=k] - p_j, and dH / d z_j = -p_j (log p_j + H), both over the
  // temperature.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& targets = saved[1];
    const double temperature = context->saved_data["temperature"].toDouble();
    at::Tensor of_log_probs =
        gradients[0].defined() ? gradients[0] : at::zeros_like(targets, saved[0].options());
    of_log_probs = of_log_probs.unsqueeze(-1) / temperature;  // (M, 1)
    at::Tensor distribution = saved[0];                       // (M, V)
    at::Tensor slope;
    if (context->saved_data["with_entropy"].toBool() && gradients[1].defined()) {
      const at::Tensor of_entropy = gradients[1].unsqueeze(-1) / temperature;  // (M, 1)
      slope = distribution.exp() * -(of_log_probs + of_entropy * (distribution + saved[2].unsqueeze(-1)));
    } else {
      slope = distribution.exp_().mul_(-of_log_probs);
    }
    slope.scatter_add_(-1, targets.unsqueeze(-1), of_log_probs);
    return {slope, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

TokenLogProbs token_log_probs(const at::Tensor& logits, const at::Tensor& targets, double temperature,
                              bool with_entropy) {
  const variable_list results = TokenLogProbsFunction::apply(logits, targets, temperature, with_entropy);
  return {results[0], with_entropy ? results[1] : at::Tensor()};
}

}  // namespace rft::engine
