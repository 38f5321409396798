// The prompt of a record {"messages": [...], ...}: the messages, without a last one of the assistant, which
// is the output.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <rft/adapter.hpp>
#include <stdexcept>
#include <string>

namespace chat_prompt {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};

inline std::string role_of(const Json& message, size_t number) {
  const std::string which = "message " + std::to_string(number);
  if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
    throw std::invalid_argument(which + " has no \"role\"");
  const std::string role = message["role"];
  for (const auto known : kRoles)
    if (role == known) {
      if (!message.contains("content") && !message.contains("tool_calls"))
        throw std::invalid_argument(which + " has no \"content\"");
      return role;
    }
  throw std::invalid_argument(which + " has the unknown role \"" + role + "\"");
}

inline rft::Example of(std::string_view record) {
  const Json fields = Json::parse(record);
  if (!fields.contains("messages") || !fields["messages"].is_array() || fields["messages"].empty())
    throw std::invalid_argument(
        "the record has no \"messages\" list; for task and input set adapter = \"jsonl\"");
  Json messages = fields["messages"];
  for (size_t i = 0; i < messages.size(); ++i) role_of(messages[i], i + 1);

  std::optional<std::string> output;
  if (messages.back()["role"] == "assistant") {
    const Json& answer = messages.back();
    if (!answer.contains("content") || !answer["content"].is_string())
      throw std::invalid_argument("the last message, the assistant's, has no text as its \"content\"");
    output = answer["content"].get<std::string>();
    messages.erase(messages.size() - 1);
  }
  const std::string asked = messages.empty() ? "" : messages.back()["role"].get<std::string>();
  if (asked != "user" && asked != "tool")
    throw std::invalid_argument(
        "there is nothing to answer: the last message before the answer must be a user's");
  return rft::Example::messages(messages.dump(), std::move(output));
}

}  // namespace chat_prompt
