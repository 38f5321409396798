#include "plugins/plugin_error.h"

namespace rft::plugins {

std::string_view to_string(PluginFailure kind) {
  switch (kind) {
    case PluginFailure::crashed:
      return "crashed";
    case PluginFailure::out_of_memory:
      return "out_of_memory";
    case PluginFailure::timed_out:
      return "timed_out";
    case PluginFailure::threw:
      return "threw";
    case PluginFailure::not_finite:
      return "not_finite";
    case PluginFailure::unwritten:
      return "unwritten";
    case PluginFailure::changed_input:
      return "changed_input";
    case PluginFailure::wrong_abi:
      return "wrong_abi";
    case PluginFailure::not_loadable:
      return "not_loadable";
    case PluginFailure::protocol:
      return "protocol";
  }
  return "protocol";
}

}  // namespace rft::plugins
