// What `rftctl scorer test` says of a scorer: pure functions from rft-plugin-host's answers to figures, and
// from these to text.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/format.h"

namespace rft::cli {

struct ScoreRange {
  double low = 0, high = 1;
};

// `answers`: the lines of `rft-plugin-host try`, one for each of `episodes`. The result:
// {"episodes", "scored", "score": {"mean", "deviation", "min", "p10", "median", "p90", "max", "histogram"},
//  "valid", "reasons": [{"reason", "count", "mean"}], "sub_scores": [{"name", "count", "mean", "min",
//  "max"}], "slowest": [{"episode", "seconds", "completion"}], "errors": [{"episode", "failure", "message"}],
//  "warnings": [text]}.
Json scorer_report(const std::vector<Json>& episodes, const std::vector<Json>& answers,
                   const ScoreRange& range);

std::string report_text(const Style& style, const Json& report);

}  // namespace rft::cli
