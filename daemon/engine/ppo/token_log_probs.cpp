#include "engine/ppo/token_log_probs.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "engine/model/kernels.h"
#include "engine/model/training_kernels.h"

namespace rft::engine {
namespace {

using kernels::Distribution;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Two passes over the logits forward and one backward; nothing of the logits' size but they themselves is
// kept.
struct FusedTokenLogProbs : torch::autograd::Function<FusedTokenLogProbs> {
  static variable_list forward(AutogradContext* context, const at::Tensor& given, const at::Tensor& targets,
                               double temperature) {
    const at::Tensor logits = given.contiguous();
    const int64_t M = logits.size(0), V = logits.size(1);
    const auto scale = static_cast<float>(1 / temperature);
    at::Tensor normalisers = at::empty({M}, logits.options()), entropy = at::empty({M}, logits.options());
    at::Tensor log_probs = at::empty({M}, logits.options());
    const float* z = logits.const_data_ptr<float>();
    const int64_t* target = targets.const_data_ptr<int64_t>();
    float *normaliser = normalisers.data_ptr<float>(), *uncertain = entropy.data_ptr<float>(),
          *log_prob = log_probs.data_ptr<float>();
    at::parallel_for(0, M, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Distribution found = kernels::describe_distribution(z + row * V, V, scale);
        normaliser[row] = found.log_normaliser;
        uncertain[row] = found.entropy;
        log_prob[row] = z[row * V + target[row]] * scale - found.log_normaliser;
      }
    });
    context->save_for_backward({logits, targets, normalisers, entropy});
    context->saved_data["temperature"] = temperature;
    return {log_probs, entropy};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &logits = saved[0], &targets = saved[1];
    const int64_t M = logits.size(0), V = logits.size(1);
    const auto scale = static_cast<float>(1 / context->saved_data["temperature"].toDouble());
    const auto per_row = [&logits](const at::Tensor& gradient, int64_t count) {
      return gradient.defined() ? gradient.contiguous() : at::zeros({count}, logits.options());
    };
    const at::Tensor of_log_probs = per_row(gradients[0], M), of_entropy = per_row(gradients[1], M);
    at::Tensor slope = at::empty_like(logits);
    const float *z = logits.const_data_ptr<float>(), *normaliser = saved[2].const_data_ptr<float>(),
                *uncertain = saved[3].const_data_ptr<float>(),
                *of_log_prob = of_log_probs.const_data_ptr<float>(),
                *of_uncertain = of_entropy.const_data_ptr<float>();
    const int64_t* target = targets.const_data_ptr<int64_t>();
    float* out = slope.data_ptr<float>();
    at::parallel_for(0, M, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        kernels::distribution_slope(z + row * V, V, scale, {normaliser[row], uncertain[row]}, target[row],
                                    of_log_prob[row], of_uncertain[row], out + row * V);
      }
    });
    return {slope, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

TokenLogProbs token_log_probs(const at::Tensor& logits, const at::Tensor& targets, double temperature,
                              bool with_entropy) {
  static const bool available = kernels::available_f32();
  if (!available || !logits.is_cpu() || logits.scalar_type() != at::kFloat)
    return reference::token_log_probs(logits, targets, temperature, with_entropy);
  const variable_list results = FusedTokenLogProbs::apply(logits, targets.contiguous(), temperature);
  return {results[0], with_entropy ? results[1] : at::Tensor()};
}

TokenLogProbs reference::token_log_probs(const at::Tensor& logits, const at::Tensor& targets,
                                         double temperature, bool with_entropy) {
  const at::Tensor distribution = at::log_softmax(logits / temperature, -1);
  const at::Tensor chosen = distribution.gather(-1, targets.unsqueeze(-1)).squeeze(-1);
  return {chosen, with_entropy ? -(distribution.exp() * distribution).sum(-1) : at::Tensor()};
}

}  // namespace rft::engine
