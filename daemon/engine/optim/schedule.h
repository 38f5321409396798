// How the learning rate moves over the iterations of a job. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace rft::engine {

enum class ScheduleKind { constant, linear, cosine };

// "constant", "linear" or "cosine"; throws Error(invalid_argument) for any other name.
ScheduleKind schedule_kind_from_string(std::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  int64_t num_steps = 1;     // iterations (or optimiser steps) of the whole run, warm-up included
  int64_t warmup_steps = 0;  // the factor rises linearly over these: 1/(n+1), 2/(n+1), … n/(n+1)
  double min_ratio = 0;      // where linear and cosine end, as a share of the full rate
};

// What the learning rate is multiplied by in step `step`, counted from 0. After the warm-up, linear and
// cosine fall from 1 at its first step to `min_ratio` at step num_steps - 1 and stay there.
double learning_rate_factor(const Schedule& schedule, int64_t step);

}  // namespace rft::engine
