// What a program answers: one line for an episode, one for a summary (docs/scorers.md), or one for a record
// (docs/adapters.md).
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

// {"prompt", "output"?, "record"?}, a list of such, null for a record that is left out, or {"error"}, which
// refuses it. A prompt is a string, or a list of messages. Throws PluginError(threw | protocol).
wire::Conversion parse_conversion(const std::string& line);

// Throws PluginError(threw) for {"batch_error"}, which may come when nothing was asked; other lines pass.
void require_no_batch_error(const std::string& line);

}  // namespace rft::plugins::host
