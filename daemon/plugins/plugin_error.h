// How a plugin can fail its job. Each way is a kind of its own, so that a job's reason, the quarantine and
// the tests name the same thing; the text names the plugin, its file as the user knows it, and what it was
// doing.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace rft::plugins {

enum class PluginFailure {
  crashed,        // its process ended: a signal, an exit, an abort
  out_of_memory,  // it asked for more than its limit, or was killed for it
  timed_out,      // no answer within the deadline; its process was killed
  threw,          // it reported an error, or an exception reached the boundary
  not_finite,     // a score is NaN or infinite
  unwritten,      // it left a score unwritten
  changed_input,  // it wrote into memory that it was given to read
  wrong_abi,      // built for another ABI: refused before any of its code ran
  not_loadable,   // not a plugin, of another kind, a missing symbol, a script that does not start
  protocol,       // its process answered something that is no answer
};

std::string_view to_string(PluginFailure kind);

class PluginError : public Error {
 public:
  // `sub_scorer` is the name of the one that failed, where a job has several.
  PluginError(PluginFailure kind, const std::string& message, std::string sub_scorer = {})
      : Error(ErrorCode::plugin, message), kind_(kind), sub_scorer_(std::move(sub_scorer)) {}

  PluginFailure kind() const { return kind_; }
  const std::string& sub_scorer() const { return sub_scorer_; }

 private:
  PluginFailure kind_;
  std::string sub_scorer_;
};

}  // namespace rft::plugins
