#include "engine/ppo/model_pass.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "engine/support/tiny_policy.h"
#include "engine/support/vectors.h"

namespace rft::engine {
namespace {

using testing::close;

std::vector<TokenSequence> sequences_of(const std::vector<Episode>& episodes) {
  std::vector<TokenSequence> sequences;
  for (const Episode& episode : episodes) sequences.push_back({episode.prompt_ids, episode.completion_ids});
  return sequences;
}

class ModelPass : public ::testing::Test {
 protected:
  const std::shared_ptr<Decoder> policy_ = testing::tiny_policy();
  const std::vector<Episode> episodes_ = testing::made_up_episodes(*policy_, 3, 2);
  const std::vector<TokenSequence> sequences_ = sequences_of(episodes_);
  const std::vector<int64_t> rows_{4, 0, 5, 2};
  const TokenBatch batch_ = make_token_batch(sequences_, rows_, Targets::completion, true, at::kCPU);
};

TEST_F(ModelPass, PaddedBatchesEqualSingleSequences) {
  const at::NoGradGuard no_grad;
  const Evaluation said = evaluate(*policy_, nullptr, batch_, 0.7, /*with_entropy=*/true);
  int64_t begin = 0;
  for (const int64_t row : rows_) {
    const Episode& episode = episodes_[row];
    const auto T = static_cast<int64_t>(episode.completion_ids.size());
    EXPECT_TRUE(close(said.log_probs.narrow(0, begin, T),
                      testing::slow_log_probs(*policy_, episode.prompt_ids, episode.completion_ids, 0.7),
                      1e-5));
    begin += T;
  }
  EXPECT_TRUE((said.entropy > 0).all().item<bool>());
  EXPECT_TRUE((said.entropy <= std::log(testing::kTinyVocabulary) + 1e-5).all().item<bool>());
}

TEST_F(ModelPass, ATrunkOfItsOwnReadsARowByItsOwnLength) {
  const at::NoGradGuard no_grad;
  ModelConfig config = testing::tiny_config();
  config.rope.type = RopeType::dynamic;  // the rotation follows from the row's length, not the batch's
  config.rope.factor = 4;
  config.rope.original_max_positions = 3;
  const auto trunk = Decoder::random(config, 1, {});
  ValueHead head = ValueHead::zeros(16, at::kCPU);
  head.weight.copy_(at::arange(16).reshape({1, 16}) * 0.01);
  const Values own = evaluate_values(*trunk, head, batch_);
  const Evaluation shared = evaluate(*trunk, &head, batch_, 1, false);
  EXPECT_TRUE(own.values.equal(shared.values));
  EXPECT_TRUE(own.end_values.equal(shared.end_values));
}

TEST_F(ModelPass, ValuesAreReadWhereTheTokenIsPredicted) {
  const at::NoGradGuard no_grad;
  ValueHead head = ValueHead::zeros(16, at::kCPU);
  EXPECT_TRUE(evaluate(*policy_, &head, batch_, 1, false).values.equal(at::zeros({batch_.targets.size(0)})))
      << "the value head starts at zero";
  head.weight.copy_(at::arange(16).reshape({1, 16}) * 0.01);
  head.bias.fill_(0.5);
  const Evaluation said = evaluate(*policy_, &head, batch_, 1, false);
  const Episode& first = episodes_[rows_[0]];
  std::vector<int64_t> ids = first.prompt_ids;
  ids.insert(ids.end(), first.completion_ids.begin(), first.completion_ids.end());
  const at::Tensor hidden = policy_->hidden_states(at::tensor(ids, at::kLong).unsqueeze(0)).squeeze(0);
  const at::Tensor values = at::linear(hidden, head.weight, head.bias).squeeze(-1);  // (P + T)
  const auto P = static_cast<int64_t>(first.prompt_ids.size()),
             T = static_cast<int64_t>(first.completion_ids.size());
  EXPECT_TRUE(close(said.values.narrow(0, 0, T), values.narrow(0, P - 1, T), 1e-5));
  EXPECT_TRUE(close(said.end_values[0], values[P + T - 1], 1e-5));
}

// The chunked backward pass against plain autograd over whole logits.
TEST_F(ModelPass, GradientsEqualThoseOfTheWholeLogits) {
  const double temperature = 0.8;
  const at::Tensor weights = at::linspace(-1, 1, batch_.targets.size(0));
  const ValueHead head = ValueHead::zeros(16, at::kCPU);
  accumulate_gradients(
      *policy_, batch_, temperature, /*with_entropy=*/true,
      [&](const at::Tensor& hidden, const TokenLogProbs& now, int64_t begin, int64_t count) {
        const at::Tensor weight = weights.narrow(0, begin, count);
        return ((now.log_probs + 0.3 * now.entropy.square() + head.values(hidden)) * weight).sum();
      });
  std::vector<at::Tensor> fast;
  for (const NamedTensor& parameter : policy_->parameters()) {
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    fast.push_back(parameter.tensor.grad().clone());
    at::Tensor(parameter.tensor).mutable_grad() = at::Tensor();
  }
  const at::Tensor fast_head = head.weight.grad().clone();
  at::Tensor(head.weight).mutable_grad() = at::Tensor();

  const at::Tensor hidden = policy_->hidden_states(batch_.ids);
  const at::Tensor states = hidden.reshape({-1, 16}).index_select(0, batch_.positions);
  const at::Tensor distribution = at::log_softmax(policy_->logits(states) / temperature, -1);
  const at::Tensor log_probs = distribution.gather(-1, batch_.targets.unsqueeze(-1)).squeeze(-1);
  const at::Tensor entropy = -(distribution.exp() * distribution).sum(-1);
  ((log_probs + 0.3 * entropy.square() + head.values(states)) * weights).sum().backward();
  for (size_t i = 0; i < fast.size(); ++i) {
    EXPECT_TRUE(close(fast[i], policy_->parameters()[i].tensor.grad(), 1e-5))
        << policy_->parameters()[i].name;
  }
  EXPECT_TRUE(close(fast_head, head.weight.grad(), 1e-5));
}

}  // namespace
}  // namespace rft::engine
