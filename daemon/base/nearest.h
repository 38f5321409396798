// The known name that a mistyped one was most likely meant to be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rft {

// Nothing when no candidate is near: more than a third of the letters would have to change.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// "; did you mean \"pause\"?", or empty when nothing is near: to be appended to an error.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace rft
