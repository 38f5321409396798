#include "engine/model/position_logits.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <string>

#include "base/error.h"

namespace rft::engine {

std::vector<PositionLogits> logits_at(const Decoder& decoder, std::span<const int64_t> ids,
                                      std::span<const int64_t> positions) {
  const at::NoGradGuard no_gradients;
  const auto length = static_cast<int64_t>(ids.size());
  const at::Tensor batch = at::tensor(at::ArrayRef<int64_t>(ids.data(), ids.size()), at::kLong)  // (1, T)
                               .unsqueeze(0)
                               .to(decoder.options().device);
  const at::Tensor hidden = decoder.hidden_states(batch)[0];  // (T, H)
  std::vector<PositionLogits> answers;
  for (const int64_t position : positions) {
    if (position < 0 || position >= length)
      throw Error(ErrorCode::invalid_argument,
                  "position " + std::to_string(position) + " is outside the sequence of " +
                      std::to_string(length) + " ids",
                  "positions");
    const at::Tensor logits = decoder.logits(hidden[position]).cpu().contiguous();  // (V)
    PositionLogits answer;
    answer.logits.assign(logits.const_data_ptr<float>(), logits.const_data_ptr<float>() + logits.numel());
    if (position + 1 < length)
      answer.log_prob = at::log_softmax(logits, 0)[ids[static_cast<size_t>(position) + 1]].item<float>();
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace rft::engine
