#include "worker/dataset.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "engine/ppo/permutation.h"

namespace rft::worker {
namespace {

// Keeps this order apart from those of the prompts and the updates (permutation.h).
constexpr uint64_t kShotOrder = 0x73686f7473;  // "shots"

Json messages_of(const Json& prompt) {
  if (prompt.is_string()) return Json::array({{{"role", "user"}, {"content", prompt}}});
  return prompt;
}

bool is_system(const Json& message) { return message.is_object() && message.value("role", "") == "system"; }

std::string text_of(const Json& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  throw Error(ErrorCode::invalid_argument,
              "the prompt is a list of messages, but the model has no chat template; "
              "use the adapter \"jsonl\" with a `[data] prompt` template");
}

}  // namespace

Example PromptFormat::apply(Json&& canonical) const {
  const auto prompt = canonical.find("prompt");
  if (prompt == canonical.end()) throw Error(ErrorCode::invalid_argument, "the record has no \"prompt\"");
  Example example;
  example.prompt = render(*prompt);
  // A chat template writes the special tokens itself.
  example.prompt_ids = tokenizer_.encode(example.prompt, /*add_special_tokens=*/chat_template_ == nullptr);
  if (example.prompt_ids.empty()) throw Error(ErrorCode::invalid_argument, "the prompt is empty");
  if (const auto output = canonical.find("output"); output != canonical.end() && output->is_string())
    example.output = output->get<std::string>();
  if (const auto record = canonical.find("record"); record != canonical.end())
    example.record = std::move(*record);
  return example;
}

// All but one of the shots: never the prompt's own.
std::vector<Shot> PromptFormat::shots_for(const Json& prompt) const {
  std::vector<Shot> shown;
  for (const Shot& shot : shots_)
    if (shot.prompt != prompt && shown.size() + 1 < shots_.size()) shown.push_back(shot);
  return shown;
}

std::string PromptFormat::render_text(const Json& prompt) const {
  std::string text;
  for (const Shot& shot : shots_for(prompt)) text += text_of(shot.prompt) + shot.output + "\n\n";
  return text + text_of(prompt);
}

std::string PromptFormat::render(const Json& prompt) const {
  if (chat_template_ == nullptr) return render_text(prompt);
  Json messages = Json::array();
  if (!system_.empty()) messages.push_back({{"role", "system"}, {"content", system_}});
  Json own = messages_of(prompt);
  // A record's own system message takes the place of the job's.
  if (is_system(own.empty() ? Json() : own.front())) {
    messages = Json::array({own.front()});
    own.erase(own.begin());
  }
  for (const Shot& shot : shots_for(prompt)) {
    for (const Json& message : messages_of(shot.prompt))
      if (!is_system(message)) messages.push_back(message);
    messages.push_back({{"role", "assistant"}, {"content", shot.output}});
  }
  messages.insert(messages.end(), own.begin(), own.end());
  return chat_template_->render(messages, /*add_generation_prompt=*/true);
}

std::vector<Shot> choose_shots(const std::filesystem::path& file, int64_t num_shots, uint64_t seed) {
  if (num_shots == 0) return {};
  std::vector<Shot> candidates;
  for_each_json_line(file, [&](Json&& record, size_t) {
    if (record.contains("prompt") && record.contains("output") && record.at("output").is_string())
      candidates.push_back({record.at("prompt"), record.at("output")});
  });
  const auto wanted = static_cast<size_t>(num_shots) + 1;
  std::vector<Shot> shots;
  for (const int64_t index :
       engine::permutation(static_cast<int64_t>(candidates.size()), seed, kShotOrder, 0)) {
    const Shot& candidate = candidates[index];
    const bool known =
        std::ranges::any_of(shots, [&](const Shot& shot) { return shot.prompt == candidate.prompt; });
    if (!known) shots.push_back(candidate);
    if (shots.size() == wanted) return shots;
  }
  throw Error(ErrorCode::invalid_argument,
              file.string() + ": [data] shots = " + std::to_string(num_shots) + " needs " +
                  std::to_string(wanted) +
                  " records that have an output and differ in their prompts; there are " +
                  std::to_string(shots.size()));
}

std::vector<Example> load_examples(const std::filesystem::path& file, const PromptFormat& format,
                                   int64_t max_prompt_tokens, int64_t vocab_size) {
  std::vector<Example> examples;
  for_each_json_line(file, [&](Json&& record, size_t line) {
    try {
      Example example = format.apply(std::move(record));
      if (const auto length = static_cast<int64_t>(example.prompt_ids.size()); length > max_prompt_tokens)
        throw Error(ErrorCode::invalid_argument,
                    "the prompt has " + std::to_string(length) + " tokens, and the model's context leaves " +
                        std::to_string(max_prompt_tokens) +
                        " beside [rollout] max_new_tokens; shorten it or lower max_new_tokens");
      const int64_t largest = *std::ranges::max_element(example.prompt_ids);
      if (largest >= vocab_size)
        throw Error(ErrorCode::invalid_argument, "the prompt has the token " + std::to_string(largest) +
                                                     ", and the model's vocab_size is " +
                                                     std::to_string(vocab_size) +
                                                     ": the tokenizer is another model's");
      examples.push_back(std::move(example));
    } catch (const Error& error) {
      throw Error(ErrorCode::invalid_argument,
                  file.string() + ":" + std::to_string(line) + ": " + error.what());
    }
  });
  if (examples.empty()) throw Error(ErrorCode::invalid_argument, file.string() + ": holds no record");
  return examples;
}

}  // namespace rft::worker
