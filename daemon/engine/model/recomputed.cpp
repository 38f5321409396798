#include "engine/model/recomputed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <utility>

namespace rft::engine {
namespace {

using torch::autograd::variable_list;

// A node and not an autograd::Function, which would hand no gradient to leaves behind an input that needs
// none.
struct Recompute : torch::autograd::Node {
  std::function<at::Tensor(const at::Tensor&)> function;
  at::Tensor input;  // detached

  variable_list apply(variable_list&& slopes) override {
    const at::AutoGradMode with_gradients(true);
    const at::Tensor x = std::exchange(input, {}).requires_grad_(task_should_compute_output(0));
    torch::autograd::backward({function(x)}, {slopes.at(0)});
    return {x.grad()};
  }
  void release_variables() override { input.reset(); }
};

}  // namespace

at::Tensor recomputed(std::function<at::Tensor(const at::Tensor&)> function, const at::Tensor& x) {
  const auto node = c10::make_intrusive<Recompute>();
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  node->input = x.detach();
  at::Tensor result;
  {
    const at::NoGradGuard no_grad;
    result = function(x);
  }
  node->function = std::move(function);
  torch::autograd::set_history(result, node);
  return result;
}

}  // namespace rft::engine
