// The KL penalty's coefficient, steered so that the KL to the reference stays near a target. Pure.
#pragma once

namespace rft::engine {

// kl_coef · (1 + clip(kl/target - 1, ±0.2)·num_episodes/horizon). (Ziegler et al. 2019, eq. 4) `kl` and
// `target` are means per completion token, in nats. num_episodes above the horizon count as the horizon, so
// that no step is larger than a fifth; a KL that is not finite leaves the coefficient as it is.
double adapted_kl_coef(double kl_coef, double kl, double target, double num_episodes, double horizon);

}  // namespace rft::engine
