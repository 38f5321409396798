#include "engine/rollout/stop_strings.h"

#include <algorithm>

namespace rft::engine {

StopStrings::StopStrings(const text::Tokenizer& tokenizer, std::span<const std::string> stop)
    : decoder_(tokenizer, /*skip_special_tokens=*/false), stop_(stop) {
  for (const std::string& one : stop) longest_ = std::max(longest_, one.size());
}

bool StopStrings::push(int64_t id) {
  tail_ += decoder_.push(id);
  for (const std::string& one : stop_) {
    if (tail_.find(one) != std::string::npos) return true;
  }
  if (tail_.size() >= longest_) tail_.erase(0, tail_.size() - (longest_ - 1));
  return false;
}

}  // namespace rft::engine
