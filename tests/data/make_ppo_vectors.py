#!/usr/bin/env python3
"""Writes ppo_vectors.json: inputs and expected outputs for tests/engine/ppo.

The expectations are computed here in float64 from the published formulas, token by token in plain loops
where the formula is a recursion, and with PyTorch's autograd for gradients: a second implementation that
shares no code and no shape tricks with the engine's. Needs Python with torch 2.x and nothing else:

    python3 tests/data/make_ppo_vectors.py > tests/data/ppo_vectors.json
"""

import json
import math
import sys

import torch

torch.manual_seed(20240607)
torch.set_default_dtype(torch.float64)


def nested(x):
    """A tensor as nested lists that float32 holds exactly (expected outputs keep their float64 digits)."""
    return x.tolist() if isinstance(x, torch.Tensor) else x


def f32(x):
    return x.to(torch.float32).to(torch.float64)


B, T = 4, 6
# Row 0 is whole, row 1 ends early, row 2 has a gap inside, row 3 has a single token.
MASK = torch.tensor(
    [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 1], [1, 0, 0, 0, 0, 0]], dtype=torch.float64
)


def log_probs(scale=1.0):
    return f32(-scale * torch.rand(B, T) - 0.05)


# --- the policy's loss -------------------------------------------------------------------------------------


def policy_loss_token(policy, proximal, advantage, low, high, dual):
    ratio = torch.exp(torch.clamp(policy - proximal, -20.0, 20.0))
    clipped = torch.clamp(ratio, 1 - low, 1 + high)
    loss = torch.max(-advantage * ratio, -advantage * clipped)
    if dual > 0 and advantage.item() < 0:
        loss = torch.min(loss, -advantage * dual)
    return loss, ratio


def policy_loss_case(low, high, dual, spread):
    proximal = log_probs(2.0)
    policy = f32(proximal + spread * torch.randn(B, T)).requires_grad_()
    advantages = f32(torch.randn(B, T))
    losses, ratios, clipped = [], [], []
    for p, q, a in zip(policy.flatten(), proximal.flatten(), advantages.flatten()):
        loss, ratio = policy_loss_token(p, q, a, low, high, dual)
        losses.append(loss)
        ratios.append(ratio)
        clipped.append(bool(-a * torch.clamp(ratio, 1 - low, 1 + high) > -a * ratio))
    total = torch.stack(losses).sum()
    (gradient,) = torch.autograd.grad(total, policy)
    shape = lambda xs: torch.stack(xs).reshape(B, T).detach().tolist()
    return {
        "low": low, "high": high, "dual_clip": dual,
        "policy_log_probs": nested(policy.detach()), "proximal_log_probs": nested(proximal),
        "advantages": nested(advantages),
        "loss": shape(losses), "ratio": shape(ratios),
        "clipped": [clipped[i * T:(i + 1) * T] for i in range(B)],
        "gradient": nested(gradient),
    }


# --- the value's loss --------------------------------------------------------------------------------------


def value_loss_case(value_range):
    old = f32(torch.randn(B, T))
    values = f32(old + 0.5 * torch.randn(B, T)).requires_grad_()
    returns = f32(torch.randn(B, T))
    losses = []
    for v, o, r in zip(values.flatten(), old.flatten(), returns.flatten()):
        loss = (v - r) ** 2
        if value_range > 0:
            held = o + torch.clamp(v - o, -value_range, value_range)
            loss = torch.max(loss, (held - r) ** 2)
        losses.append(0.5 * loss)
    (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), values)
    return {
        "range": value_range, "values": nested(values.detach()), "old_values": nested(old),
        "returns": nested(returns), "loss": torch.stack(losses).reshape(B, T).detach().tolist(),
        "gradient": nested(gradient),
    }


# --- KL ----------------------------------------------------------------------------------------------------


def kl_case(name):
    formula = {"k1": lambda d: d, "k2": lambda d: d * d / 2, "k3": lambda d: torch.exp(-d) - 1 + d}[name]
    reference = log_probs(2.0)
    policy = f32(reference + 0.3 * torch.randn(B, T)).requires_grad_()
    estimate = formula(policy - reference)
    # As a loss, k1 has k2's gradient: d itself.
    differentiated = estimate if name != "k1" else (policy - reference) ** 2 / 2
    (gradient,) = torch.autograd.grad(differentiated.sum(), policy)
    return {
        "estimator": name, "log_probs": nested(policy.detach()), "reference_log_probs": nested(reference),
        "kl": nested(estimate.detach()), "loss_gradient": nested(gradient),
    }


def adaptive_kl_case(kl, target, num_episodes, horizon):
    error = kl / target - 1
    error = 0.2 if error > 0.2 else -0.2 if error < -0.2 else error
    return {"kl_coef": 0.05, "kl": kl, "target": target, "num_episodes": num_episodes, "horizon": horizon,
            "next": 0.05 * (1 + error * num_episodes / horizon)}


def importance_case(cap):
    proximal = log_probs(2.0)
    rollout = f32(proximal + 0.8 * torch.randn(B, T))
    weights = [[min(math.exp(proximal[b, t] - rollout[b, t]), cap) for t in range(T)] for b in range(B)]
    return {"cap": cap, "proximal_log_probs": nested(proximal), "rollout_log_probs": nested(rollout), "weights": weights}


# --- rewards, GAE, rewards to go ---------------------------------------------------------------------------


def rewards_of(kl, scores, kl_coef):
    rewards = [[0.0] * T for _ in range(B)]
    for b in range(B):
        tokens = [t for t in range(T) if MASK[b, t] == 1]
        for t in tokens:
            rewards[b][t] = -kl_coef * kl[b, t].item()
        rewards[b][tokens[-1]] += scores[b].item()
    return rewards


def gae_of(rewards, values, bootstrap, gamma, lam):
    """Drops the masked tokens and runs the textbook recursion on what is left."""
    advantages = [[0.0] * T for _ in range(B)]
    for b in range(B):
        tokens = [t for t in range(T) if MASK[b, t] == 1]
        row = [0.0] * len(tokens)
        for i, t in enumerate(tokens):
            # The definition: the discounted sum of all later temporal differences.
            for j in range(i, len(tokens)):
                after = values[b][tokens[j + 1]] if j + 1 < len(tokens) else bootstrap[b]
                delta = rewards[b][tokens[j]] + gamma * after - values[b][tokens[j]]
                row[i] += (gamma * lam) ** (j - i) * delta
            advantages[b][t] = row[i]
    return advantages


def gae_case(gamma, lam, bootstrapped):
    # Masked positions hold rubbish, which must not be seen.
    rewards = f32(torch.randn(B, T)) * MASK + 1e3 * (1 - MASK)
    values = f32(torch.randn(B, T)) * MASK - 1e3 * (1 - MASK)
    bootstrap = f32(torch.randn(B)) if bootstrapped else torch.zeros(B)
    return {
        "gamma": gamma, "lambda": lam, "rewards": nested(rewards), "values": nested(values),
        "bootstrap_values": nested(bootstrap),
        "advantages": gae_of(rewards.tolist(), values.tolist(), bootstrap.tolist(), gamma, lam),
    }


def rewards_case(kl_coef):
    kl, scores = f32(torch.randn(B, T)), f32(torch.randn(B))
    return {"kl_coef": kl_coef, "kl": nested(kl), "scores": nested(scores), "rewards": rewards_of(kl, scores, kl_coef)}


def rewards_to_go_case(gamma):
    rewards = f32(torch.randn(B, T)) * MASK
    result = [[0.0] * T for _ in range(B)]
    for b in range(B):
        tokens = [t for t in range(T) if MASK[b, t] == 1]
        for i, t in enumerate(tokens):
            result[b][t] = sum(gamma ** (j - i) * rewards[b, tokens[j]].item() for j in range(i, len(tokens)))
    return {"gamma": gamma, "rewards": nested(rewards), "to_go": result}


def whitened(rows):
    flat = [rows[b][t] for b in range(B) for t in range(T) if MASK[b, t] == 1]
    mean = sum(flat) / len(flat)
    variance = sum((x - mean) ** 2 for x in flat) / (len(flat) - 1)
    scale = 1 / math.sqrt(variance + 1e-8)
    return [[(rows[b][t] - mean) * scale if MASK[b, t] == 1 else 0.0 for t in range(T)] for b in range(B)]


def whiten_case():
    x = f32(3 + 2 * torch.randn(B, T))
    return {"x": nested(x), "whitened": whitened(x.tolist())}


# --- groups and estimators ---------------------------------------------------------------------------------


def grouped(scores, groups, one):
    """one(score, the group's scores, the others' scores) for every episode."""
    result = []
    for i, score in enumerate(scores):
        whole = [s for s, g in zip(scores, groups) if g == groups[i]]
        others = [s for j, (s, g) in enumerate(zip(scores, groups)) if g == groups[i] and j != i]
        result.append(one(score, whole, others))
    return result


def mean(xs):
    return sum(xs) / len(xs)


def std(xs):
    return math.sqrt(sum((x - mean(xs)) ** 2 for x in xs) / (len(xs) - 1)) if len(xs) > 1 else 0.0


CENTRED = lambda s, whole, others: s - mean(whole)
NORMALISED = lambda s, whole, others: (s - mean(whole)) / (std(whole) + 1e-4)
LEAVE_ONE_OUT = lambda s, whole, others: s - mean(others) if others else 0.0


def groups_case():
    # Interleaved groups of 4, 3 and 1; group 3's two scores are equal.
    groups = [0, 1, 0, 2, 1, 0, 3, 1, 0, 3]
    scores = f32(torch.randn(10))
    scores[9] = scores[6]
    s = scores.tolist()
    return {
        "scores": s, "groups": groups,
        "centred": grouped(s, groups, CENTRED),
        "normalised": grouped(s, groups, NORMALISED),
        "leave_one_out": grouped(s, groups, LEAVE_ONE_OUT),
    }


def over_tokens(per_episode):
    return [[per_episode[b] * MASK[b, t].item() for t in range(T)] for b in range(B)]


def estimators_case():
    gamma, lam, kl_coef = 0.9, 0.8, 0.1
    kl, scores = f32(torch.randn(B, T)), f32(torch.randn(B))
    values, bootstrap = f32(torch.randn(B, T)), torch.zeros(B)
    groups = [0, 0, 1, 1]
    rewards = torch.tensor(rewards_of(kl, scores, kl_coef))
    plain = gae_of(rewards.tolist(), values.tolist(), bootstrap.tolist(), gamma, lam)
    returns = [[(plain[b][t] + values[b, t].item()) * MASK[b, t].item() for t in range(T)] for b in range(B)]
    to_go = gae_of(rewards.tolist(), [[0.0] * T] * B, [0.0] * B, gamma, 1.0)
    # Groups compare whole sequences: the score, and the KL penalty where it belongs to the reward.
    sums = [sum(row) for row in rewards.tolist()]
    return {
        "gamma": gamma, "lambda": lam, "rewards": nested(rewards), "groups": groups,
        "values": nested(values), "bootstrap_values": nested(bootstrap),
        "returns": returns,
        "advantages": {
            "gae": whitened(plain),
            "grpo": over_tokens(grouped(sums, groups, NORMALISED)),
            "dr_grpo": over_tokens(grouped(sums, groups, CENTRED)),
            "rloo": over_tokens(grouped(sums, groups, LEAVE_ONE_OUT)),
            "reinforce++": whitened(to_go),
            "reinforce++_baseline": whitened(over_tokens(grouped(sums, groups, CENTRED))),
        },
    }


def missing_eos_case():
    scores, cut, penalty = [0.5, -1.0, 2.0, 0.0], [False, True, True, False], 0.75
    return {
        "scores": scores, "cut": cut, "eos_penalty": penalty,
        "paid": {
            "score": scores, "mask": scores,
            "penalty": [s - penalty if c else s for s, c in zip(scores, cut)],
            "bootstrap": [0.0 if c else s for s, c in zip(scores, cut)],
        },
    }


# --- normalisation and diagnostics -------------------------------------------------------------------------


def normalisation_case():
    losses = f32(torch.randn(B, T))
    lengths = [int(MASK[b].sum()) for b in range(B)]
    kept = [[losses[b, t].item() for t in range(T) if MASK[b, t] == 1] for b in range(B)]
    return {
        "losses": nested(losses), "constant_length": 10,
        "token": sum(map(sum, kept)) / sum(lengths),
        "sequence": mean([mean(row) for row in kept]),
        "constant": sum(map(sum, kept)) / (B * 10),
    }


def diagnostics_case():
    proximal, values, returns = log_probs(2.0), f32(torch.randn(B, T)), f32(torch.randn(B, T))
    policy, rollout = f32(proximal + 0.2 * torch.randn(B, T)), f32(proximal + 0.01 * torch.randn(B, T))
    at = [(b, t) for b in range(B) for t in range(T) if MASK[b, t] == 1]
    kl = mean([math.exp(policy[i] - proximal[i]) - 1 - (policy[i] - proximal[i]).item() for i in at])
    target, residual = [returns[i].item() for i in at], [(returns[i] - values[i]).item() for i in at]
    spread = lambda xs: mean([(x - mean(xs)) ** 2 for x in xs])
    return {
        "policy_log_probs": nested(policy), "proximal_log_probs": nested(proximal),
        "rollout_log_probs": nested(rollout), "values": nested(values), "returns": nested(returns),
        "approx_kl": kl, "explained_variance": 1 - spread(residual) / spread(target),
        "rollout_gap": mean([abs(math.exp(rollout[i]) - math.exp(proximal[i])) for i in at]),
    }


# --- log-probs from logits ---------------------------------------------------------------------------------


def token_log_probs_case(temperature):
    logits = f32(3 * torch.randn(5, 7)).requires_grad_()
    targets = torch.tensor([0, 6, 3, 3, 1])
    log_prob_gradient, entropy_gradient = f32(torch.randn(5)), f32(torch.randn(5))
    distribution = torch.log_softmax(logits / temperature, -1)
    chosen = distribution[torch.arange(5), targets]
    entropy = -(distribution.exp() * distribution).sum(-1)
    total = (chosen * log_prob_gradient).sum() + (entropy * entropy_gradient).sum()
    (gradient,) = torch.autograd.grad(total, logits)
    return {
        "temperature": temperature, "logits": nested(logits.detach()), "targets": targets.tolist(),
        "log_probs": nested(chosen.detach()), "entropy": nested(entropy.detach()),
        "log_prob_gradient": nested(log_prob_gradient), "entropy_gradient": nested(entropy_gradient),
        "logits_gradient": nested(gradient),
    }


# --- the optimiser -----------------------------------------------------------------------------------------


def adamw_case(weight_decay, max_grad_norm):
    """Three steps of torch.optim.AdamW behind torch's own clip_grad_norm_, on a matrix and a vector."""
    parameters = [torch.nn.Parameter(f32(torch.randn(3, 2))), torch.nn.Parameter(f32(torch.randn(4)))]
    case = {"weight_decay": weight_decay, "max_grad_norm": max_grad_norm, "learning_rate": 0.01,
            "start": [nested(p.detach().clone()) for p in parameters], "steps": []}
    # Only what has two or more dimensions decays: norms' gains and biases do not.
    optimiser = torch.optim.AdamW(
        [{"params": parameters[:1], "weight_decay": weight_decay}, {"params": parameters[1:], "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.999), eps=1e-5)
    for _ in range(3):
        gradients = [f32(torch.randn_like(p)) for p in parameters]
        for p, g in zip(parameters, gradients):
            p.grad = g.clone()
        norm = math.sqrt(sum((g * g).sum().item() for g in gradients))
        if max_grad_norm > 0 and norm > max_grad_norm:
            for p in parameters:
                p.grad.mul_(max_grad_norm / norm)
        optimiser.step()
        case["steps"].append({"gradients": [nested(g) for g in gradients], "grad_norm": norm,
                              "parameters": [nested(p.detach().clone()) for p in parameters]})
    return case


json.dump(
    {
        "mask": nested(MASK),
        "policy_loss": [policy_loss_case(0.2, 0.2, 0, 0.4), policy_loss_case(0.2, 0.28, 0, 0.4),
                        policy_loss_case(0.2, 0.2, 3, 2.0), policy_loss_case(0.2, 0.2, 0, 30.0)],
        "value_loss": [value_loss_case(0.2), value_loss_case(0)],
        "kl": [kl_case("k1"), kl_case("k2"), kl_case("k3")],
        "rewards": [rewards_case(0.05), rewards_case(0)],
        "gae": [gae_case(1.0, 0.95, False), gae_case(0.9, 0.8, True), gae_case(1.0, 1.0, True)],
        "rewards_to_go": [rewards_to_go_case(1.0), rewards_to_go_case(0.9)],
        "whiten": whiten_case(),
        "groups": groups_case(),
        "estimators": estimators_case(),
        "missing_eos": missing_eos_case(),
        "normalisation": normalisation_case(),
        "diagnostics": diagnostics_case(),
        "token_log_probs": [token_log_probs_case(1.0), token_log_probs_case(0.7)],
        "adamw": [adamw_case(0, 0), adamw_case(0.1, 1.0)],
        "adaptive_kl": [adaptive_kl_case(0.03, 0.05, 128, 10000), adaptive_kl_case(0.055, 0.05, 128, 10000),
                        adaptive_kl_case(5.0, 0.05, 128, 1000), adaptive_kl_case(-0.01, 0.05, 64, 64)],
        "importance": [importance_case(2.0), importance_case(1.0)],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
