// The prompt of a flat record {"task"?, "input", "output"?}: a template over its keys, or task and input, a
// line each.
#pragma once

#include <rft/adapter.hpp>
#include <stdexcept>
#include <string>
#include <utility>

class TextPrompt {
 public:
  TextPrompt() = default;
  // Empty: no template.
  explicit TextPrompt(std::string prompt) : template_(std::move(prompt)) {}

  rft::Example of(std::string_view record) const {
    const rft::Fields fields(record);
    return rft::Example::text(template_.empty() ? default_prompt(fields) : fill(fields),
                              fields.text("output"));
  }

 private:
  static std::string default_prompt(const rft::Fields& fields) {
    const auto task = fields.text("task");
    const auto input = fields.text("input");
    if (!input)
      throw std::invalid_argument(
          fields.has("messages")
              ? "the record has no \"input\"; for \"messages\" set adapter = \"chat\""
              : "the record has no \"input\"; add it, or name the keys that it has in [data] prompt");
    return (task ? *task + "\n" : "") + *input + "\n";
  }

  // Replaces every {key}, key being an identifier; braces around anything else stay as they are.
  std::string fill(const rft::Fields& fields) const {
    std::string prompt;
    for (size_t i = 0; i < template_.size();) {
      const size_t end = template_[i] == '{' ? end_of_identifier(i + 1) : i;
      if (end > i + 1 && end < template_.size() && template_[end] == '}') {
        prompt += value(fields, template_.substr(i + 1, end - i - 1));
        i = end + 1;
      } else {
        prompt += template_[i++];
      }
    }
    return prompt;
  }

  size_t end_of_identifier(size_t start) const {
    const auto is_letter = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    if (start >= template_.size() || !is_letter(template_[start])) return start;
    size_t end = start;
    while (end < template_.size() &&
           (is_letter(template_[end]) || (template_[end] >= '0' && template_[end] <= '9')))
      ++end;
    return end;
  }

  static std::string value(const rft::Fields& fields, const std::string& key) {
    const auto raw = fields.raw(key);
    if (!raw || *raw == "null")
      throw std::invalid_argument("the record has no \"" + key +
                                  "\", which [data] prompt names; add it, or correct the template");
    return raw->front() == '"' ? *fields.text(key) : std::string(*raw);
  }

  std::string template_;
};
