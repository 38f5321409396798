// From scores to advantages. Pure functions from tensors to tensors; none needs a model.
//
// Notation (engine/README.md): B episodes, T the longest completion, completion_mask (B, T) is 1 at the
// completion tokens that count, the end-of-sequence token included. A mask may have zeros inside.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/ppo/options.h"

namespace rft::engine {

// The score that each episode is paid, by what becomes of those that were cut by the length limit:
// score, mask: as it is; penalty: less eos_penalty; bootstrap: nothing (its value stands in, see gae).
at::Tensor paid_scores(const at::Tensor& scores,                     // (B)
                       const at::Tensor& cut,                        // (B) bool
                       MissingEos missing_eos, double eos_penalty);  // -> (B)

// -kl_coef·kl at every completion token, plus the score once, at the last one. (Ziegler et al. 2019, eq. 2)
at::Tensor token_rewards(const at::Tensor& kl,               // (B, T) any estimator
                         const at::Tensor& scores,           // (B) as paid
                         const at::Tensor& completion_mask,  // (B, T)
                         double kl_coef);                    // -> (B, T)

// Generalised advantage estimation (Schulman et al. 2015, eq. 16): δ = r + γ·V' - V, A = δ + γλ·A'.
// At an episode's last token V' is `bootstrap_values`: 0 for a terminal one, which every scored episode is,
// whether it ended by itself or was cut. Across a gap in the mask V' is the next unmasked value and A' is
// carried as it is. 0 where the mask is.
at::Tensor gae(const at::Tensor& rewards,           // (B, T)
               const at::Tensor& values,            // (B, T) V_t: read where token t is predicted
               const at::Tensor& completion_mask,   // (B, T)
               const at::Tensor& bootstrap_values,  // (B) V after the last token, 0 where terminal
               double gamma, double lambda);        // -> (B, T)

// The discounted sum of the rewards from each completion token on; across a gap it is carried as it is.
at::Tensor rewards_to_go(const at::Tensor& rewards,          // (B, T)
                         const at::Tensor& completion_mask,  // (B, T)
                         double gamma);                      // -> (B, T)

// (x - μ) / sqrt(σ² + 1e-8) over the unmasked, σ² over N-1, then the mask again. Fewer than two unmasked
// have no statistics and are left as they are.
at::Tensor whiten(const at::Tensor& x,                 // (B, T)
                  const at::Tensor& completion_mask);  // (B, T) -> (B, T)

// Scores against the others of the same prompt; groups (B) int64 names each episode's group from 0 up.
// A group of one has nothing to compare with: 0.
//   centred        s - mean                                 Dr. GRPO (Liu et al. 2025), REINFORCE++-baseline
//   normalised     (s - mean) / (std + 1e-4), std over G-1  GRPO (Shao et al. 2024)
//   leave_one_out  s - (Σ - s)/(G-1)                        RLOO (Ahmadian et al. 2024)
at::Tensor group_centred(const at::Tensor& scores, const at::Tensor& groups);        // (B), (B) -> (B)
at::Tensor group_normalised(const at::Tensor& scores, const at::Tensor& groups);     // (B), (B) -> (B)
at::Tensor group_leave_one_out(const at::Tensor& scores, const at::Tensor& groups);  // (B), (B) -> (B)

struct AdvantageInputs {
  at::Tensor rewards;           // (B, T) the score once, and the KL penalty where it belongs to the reward
  at::Tensor completion_mask;   // (B, T)
  at::Tensor groups;            // (B) int64
  at::Tensor values;            // (B, T); undefined without a critic
  at::Tensor bootstrap_values;  // (B);    undefined without a critic
};

struct Advantages {
  at::Tensor advantages;  // (B, T) 0 where the mask is
  at::Tensor
      returns;  // (B, T) what the values should be, from before the whitening; undefined without a critic
};

// The one place where an estimator's name becomes its functions. Those that compare the samples of a prompt
// take a sequence as one action: what is compared are the sums of its rewards.
Advantages estimate_advantages(const AdvantageInputs& inputs, AdvantageEstimator estimator, double gamma,
                               double lambda);

}  // namespace rft::engine
