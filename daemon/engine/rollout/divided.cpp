#include "engine/rollout/divided.h"

#include <cstring>
#include <string>
#include <string_view>

namespace rft::engine {
namespace {

// Between processes of one program on one machine: values as they lie in memory.
template <class Value>
void put(std::string& bytes, const Value& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class Value>
void put_all(std::string& bytes, const std::vector<Value>& values) {
  put(bytes, values.size());
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value));
}

template <class Value>
void take(std::string_view& bytes, Value& value) {
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
}

template <class Value>
void take_all(std::string_view& bytes, std::vector<Value>& values) {
  size_t count = 0;
  take(bytes, count);
  values.resize(count);
  std::memcpy(values.data(), bytes.data(), count * sizeof(Value));
  bytes.remove_prefix(count * sizeof(Value));
}

std::string packed(const std::vector<std::vector<Completion>>& completions) {
  std::string bytes;
  for (const std::vector<Completion>& samples : completions) {
    put(bytes, samples.size());
    for (const Completion& completion : samples) {
      put_all(bytes, completion.ids);
      put_all(bytes, completion.log_probs);
      put(bytes, completion.finish);
      put(bytes, completion.seconds);
    }
  }
  return bytes;
}

std::vector<Completion> take_samples(std::string_view& bytes) {
  size_t num_samples = 0;
  take(bytes, num_samples);
  std::vector<Completion> samples(num_samples);
  for (Completion& completion : samples) {
    take_all(bytes, completion.ids);
    take_all(bytes, completion.log_probs);
    take(bytes, completion.finish);
    take(bytes, completion.seconds);
  }
  return samples;
}

}  // namespace

std::vector<std::vector<Completion>> generate_divided(
    const Decoder& decoder, const std::vector<Prompt>& prompts, const SamplingOptions& options,
    const text::Tokenizer* tokenizer, ProgressSink& progress, Ranks& ranks, const PromptEnded& prompt_ended) {
  PromptEnded own_ended;
  if (prompt_ended)
    own_ended = [&](size_t own, const std::vector<Completion>& samples) {
      prompt_ended(own * static_cast<size_t>(ranks.size()) + static_cast<size_t>(ranks.rank()), samples);
    };
  std::vector<std::vector<Completion>> completions;
  ranks.together([&] {
    completions = generate(decoder, share_of(prompts, ranks), options, tokenizer, progress, own_ended);
  });
  if (ranks.size() == 1) return completions;

  const std::vector<std::string> shares = ranks.gather(packed(completions));
  std::vector<std::string_view> unread(shares.begin(), shares.end());
  completions.clear();
  for (size_t i = 0; i < prompts.size(); ++i) completions.push_back(take_samples(unread[i % unread.size()]));
  return completions;
}

}  // namespace rft::engine
