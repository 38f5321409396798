#include "engine/ppo/adaptive_kl.h"

#include <algorithm>
#include <cmath>

namespace rft::engine {

double adapted_kl_coef(double kl_coef, double kl, double target, double num_episodes, double horizon) {
  if (!std::isfinite(kl)) return kl_coef;
  const double error = std::clamp(kl / target - 1, -0.2, 0.2);
  return kl_coef * (1 + error * std::min(num_episodes / horizon, 1.0));
}

}  // namespace rft::engine
