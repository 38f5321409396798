// A model's chat template: messages in, the text of the prompt out, byte for byte as Hugging Face's
// `apply_chat_template` renders it (jinja2 with trim_blocks, lstrip_blocks and loop controls;
// `raise_exception`, `strftime_now`, `tojson` as Python's json.dumps; the tokenizer's special tokens by
// name). The text already holds what BOS the template wants: encode it without adding special tokens.
//
// Threading: render may be called by many threads at once. Ownership: movable, owns its templates.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

struct rft_text_template;

namespace rft::text {

// What a clock on the wall shows, without a time zone.
using WallClock = std::chrono::local_seconds;

WallClock wall_clock_now();
// Reads "2026-01-31T09:00:00". Throws Error(invalid_argument).
WallClock parse_wall_clock(std::string_view text);

class ChatTemplate {
 public:
  // Reads chat_template.jinja or the "chat_template" of tokenizer_config.json; nothing when the folder has
  // neither. Throws Error(invalid_argument) "FILE: line N: …" for a template that cannot be rendered: one
  // that does not parse or that names a filter, function or method which does not exist.
  static std::optional<ChatTemplate> load(const std::filesystem::path& model_dir);

  // `messages`: [{"role": …, "content": …, …}, …]. `tools`: a list of tool descriptions, or null. `now`: what
  // strftime_now shows; absent: the real clock. Throws Error(invalid_argument) "chat template: line N: …",
  // with the template's own words where it raises an exception.
  std::string render(const Json& messages, bool add_generation_prompt = true, const Json& tools = nullptr,
                     std::optional<WallClock> now = std::nullopt) const;

 private:
  struct Free {
    void operator()(rft_text_template* tmpl) const;
  };
  ChatTemplate() = default;
  Json context(const Json& messages, bool add_generation_prompt, const Json& tools) const;

  // By name. "default" is always there; "tool_use", if there, takes the conversations that have tools.
  std::map<std::string, std::unique_ptr<rft_text_template, Free>> templates_;
  Json special_tokens_ = Json::object();  // "bos_token" and its like
};

}  // namespace rft::text
