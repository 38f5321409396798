// Every verb of the control protocol, in one sorted table: what it is called, who answers it (one file of its
// name in handlers/), whether it changes anything, and which arguments it cannot do without.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "control/call.h"
#include "control/context.h"

namespace rft::control {

struct RequestEntry {
  std::string_view verb;
  void (*handle)(Context&, const Call&);
  bool mutates;
  std::vector<const char*> required;
};

std::span<const RequestEntry> request_table();

// Throws Error(unsupported) that suggests the nearest verb.
const RequestEntry& find_request(std::string_view verb);
// Throws Error(invalid_argument) that names the argument which is missing.
void check_arity(const RequestEntry& entry, const Json& args);
// Calls the handler; what it throws becomes the call's failure.
void run(const RequestEntry& entry, Context& context, const Call& call);

}  // namespace rft::control
