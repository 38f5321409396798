// What the penalties share: nothing up to `max`, then `rate` for each unit beyond it, and never more than
// `cap`.
#pragma once

#include <algorithm>
#include <cmath>
#include <rft/scorer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "options.h"

class Penalty {
 public:
  Penalty() = default;
  Penalty(double max, double rate, double cap) : max_(max), rate_(rate), cap_(cap) {}

  // The score: from -cap to 0.
  double score(double amount) const { return beyond(amount - max_); }
  // The score of an excess that was measured otherwise.
  double beyond(double excess) const { return excess > 0 ? -std::min(cap_, rate_ * excess) : 0; }

 private:
  double max_ = 0, rate_ = 0, cap_ = 1;
};

// NAME_mean, NAME_p50 and NAME_p95 of a split; percentiles by the nearest rank.
inline void summarize_amounts(const std::string& name, std::vector<double> amounts, rft::Numbers& numbers) {
  if (amounts.empty()) return;
  std::sort(amounts.begin(), amounts.end());
  const auto size = static_cast<double>(amounts.size());
  const auto percentile = [&](double share) {
    return amounts[static_cast<size_t>(std::max(std::ceil(share * size), 1.0)) - 1];
  };
  double sum = 0;
  for (const double amount : amounts) sum += amount;
  numbers.set(name + "_mean", sum / size);
  numbers.set(name + "_p50", percentile(0.5));
  numbers.set(name + "_p95", percentile(0.95));
}
