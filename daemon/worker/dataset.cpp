#include "worker/dataset.h"

#include <utility>

#include "base/error.h"

namespace rft::worker {

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

std::string PromptFormat::render(const Json& prompt) const {
  if (chat_template_ == nullptr) {
    if (prompt.is_string()) return prompt.get<std::string>();
    throw Error(ErrorCode::invalid_argument,
                "the prompt is a list of messages, but the model has no chat template; "
                "use the adapter \"jsonl\" with a `[data] prompt` template");
  }
  Json messages = prompt;
  if (prompt.is_string()) messages = Json::array({{{"role", "user"}, {"content", prompt}}});
  const bool has_system = !messages.empty() && messages.front().value("role", "") == "system";
  if (!system_.empty() && !has_system)
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", system_}});
  return chat_template_->render(messages, /*add_generation_prompt=*/true);
}

std::vector<Example> load_examples(const std::filesystem::path& file, const PromptFormat& format,
                                   int64_t max_prompt_tokens) {
  std::vector<Example> examples;
  for_each_json_line(file, [&](Json&& record, size_t line) {
    try {
      Example example = format.apply(std::move(record));
      if (const auto length = static_cast<int64_t>(example.prompt_ids.size()); length > max_prompt_tokens)
        throw Error(ErrorCode::invalid_argument,
                    "the prompt has " + std::to_string(length) + " tokens, and the model's context leaves " +
                        std::to_string(max_prompt_tokens) +
                        " beside [rollout] max_new_tokens; shorten it or lower max_new_tokens");
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
