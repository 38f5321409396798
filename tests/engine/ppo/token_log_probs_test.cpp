#include "engine/ppo/token_log_probs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;
using testing::ppo_vectors;
using testing::tensor;

TEST(TokenLogProbs, EqualTheStoredValuesAndGradients) {
  for (const Json& c : ppo_vectors().at("token_log_probs")) {
    const at::Tensor logits = tensor(c.at("logits")).requires_grad_();
    const auto [log_probs, entropy] = token_log_probs(logits, tensor(c.at("targets"), at::kLong),
                                                      c.at("temperature"), /*with_entropy=*/true);
    EXPECT_TRUE(close(log_probs, tensor(c.at("log_probs"))));
    EXPECT_TRUE(close(entropy, tensor(c.at("entropy"))));
    ((log_probs * tensor(c.at("log_prob_gradient"))).sum() +
     (entropy * tensor(c.at("entropy_gradient"))).sum())
        .backward();
    EXPECT_TRUE(close(logits.grad(), tensor(c.at("logits_gradient")), 1e-5));
  }
}

TEST(TokenLogProbs, WithoutEntropyTheGradientIsThatOfTheLogProbsAlone) {
  const Json& c = ppo_vectors().at("token_log_probs").at(1);
  const at::Tensor logits = tensor(c.at("logits")).requires_grad_(),
                   plain = tensor(c.at("logits")).requires_grad_();
  const at::Tensor targets = tensor(c.at("targets"), at::kLong), slope = tensor(c.at("log_prob_gradient"));
  const double temperature = c.at("temperature");
  const TokenLogProbs result = token_log_probs(logits, targets, temperature, /*with_entropy=*/false);
  EXPECT_FALSE(result.entropy.defined());
  (result.log_probs * slope).sum().backward();
  const at::Tensor slow =
      at::log_softmax(plain / temperature, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1);
  (slow * slope).sum().backward();
  EXPECT_TRUE(close(logits.grad(), plain.grad()));
}

}  // namespace
}  // namespace rft::engine
