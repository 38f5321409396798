#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"

namespace rft::engine {

ScheduleKind schedule_kind_from_string(std::string_view name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "linear") return ScheduleKind::linear;
  if (name == "cosine") return ScheduleKind::cosine;
  throw Error(ErrorCode::invalid_argument,
              "unknown schedule \"" + std::string(name) + "\"; use constant, linear or cosine", "schedule");
}

double learning_rate_factor(const Schedule& schedule, int64_t step) {
  if (step < schedule.warmup_steps) {
    return static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps + 1);
  }
  if (schedule.kind == ScheduleKind::constant) return 1;
  const int64_t last = std::max<int64_t>(schedule.num_steps - 1 - schedule.warmup_steps, 1);
  const double done =
      std::min(1.0, static_cast<double>(step - schedule.warmup_steps) / static_cast<double>(last));
  const double fall =
      schedule.kind == ScheduleKind::linear ? 1 - done : 0.5 * (1 + std::cos(std::numbers::pi * done));
  return schedule.min_ratio + (1 - schedule.min_ratio) * fall;
}

}  // namespace rft::engine
