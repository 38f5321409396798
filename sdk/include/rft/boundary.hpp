// What scorer.hpp and adapter.hpp share: nothing thrown by a plugin's code crosses the C boundary.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>

#include "rft/json.hpp"
#include "rft/plugin.h"

namespace rft::detail {

inline rft_text to_c(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view from_c(rft_text text) { return {text.data, text.size}; }

// Runs `body`; an exception becomes the host's failure text. Answers whether all went well.
template <class Body>
bool guarded(const rft_host* host, const Body& body) noexcept {
  try {
    body();
    return true;
  } catch (const std::exception& error) {
    host->fail(host, to_c(error.what()));
  } catch (...) {
    host->fail(host, to_c("an exception that is no std::exception"));
  }
  return false;
}

// Makes the author's object: from the options, or, of a class that has no use for any, from nothing. A job
// that gives it options nevertheless has meant another plugin, or misread this one, and is told.
template <class Plugin>
Plugin make_plugin(std::string_view options) {
  if constexpr (std::is_constructible_v<Plugin, std::string_view>) {
    return Plugin(options);
  } else {
    static_assert(std::is_default_constructible_v<Plugin> || std::is_abstract_v<Plugin>,
                  "a plugin's class needs a public constructor that takes the options as std::string_view, "
                  "or one without arguments");
    Fields(options).allow_only({});
    return Plugin();
  }
}

// The instance that the C functions pass around: the author's object and the host it reports to.
template <class Plugin>
struct Instance {
  const rft_host* host;
  Plugin plugin;

  static Plugin& of(void* instance) { return static_cast<Instance*>(instance)->plugin; }
  static const rft_host* host_of(void* instance) { return static_cast<Instance*>(instance)->host; }

  static void* create(const rft_host* host, rft_text options) noexcept {
    Instance* instance = nullptr;
    guarded(host, [&] { instance = new Instance{host, make_plugin<Plugin>(from_c(options))}; });
    return instance;
  }
  static void destroy(void* instance) noexcept {
    if (instance == nullptr) return;
    guarded(host_of(instance), [&] { delete static_cast<Instance*>(instance); });
  }
};

}  // namespace rft::detail
