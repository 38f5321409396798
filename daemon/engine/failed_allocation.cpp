#include "engine/failed_allocation.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <new>

namespace rft::engine {

std::optional<FailedAllocation> failed_allocation(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return FailedAllocation{};
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  if (torch_error == nullptr) return std::nullopt;
  // LibTorch has a type of its own for a GPU's memory, and for the machine's only words.
  const std::string text = torch_error->what_without_backtrace();
  constexpr std::string_view kWords = "can't allocate memory", kAsked = "you tried to allocate ";
  const bool of_gpu = dynamic_cast<const c10::OutOfMemoryError*>(torch_error) != nullptr;
  if (!of_gpu && text.find(kWords) == std::string::npos) return std::nullopt;
  const size_t asked = text.find(kAsked);
  if (asked == std::string::npos) return FailedAllocation{};
  return FailedAllocation{std::strtoll(text.c_str() + asked + kAsked.size(), nullptr, 10)};
}

}  // namespace rft::engine
