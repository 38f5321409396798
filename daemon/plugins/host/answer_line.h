// What a program answers: one line for an episode, or one for a summary (docs/scorers.md).
#pragma once

#include <map>
#include <string>

#include "plugins/wire.h"

namespace rft::plugins::host {

// A number, or {"score", "reason"?, "valid"?, "sub_scores"?}, or {"error"}. NaN and infinities are understood
// as JavaScript, Python and printf write them, and become Outcome::not_finite; a missing or null score is
// Outcome::unwritten. Throws PluginError(threw) for {"batch_error"}, PluginError(protocol) for anything else.
wire::EpisodeResult parse_score(const std::string& line);

// {"summary": {name: number}}. Throws PluginError(threw | not_finite | protocol).
std::map<std::string, double> parse_numbers(const std::string& line);

}  // namespace rft::plugins::host
