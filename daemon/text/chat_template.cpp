#include "text/chat_template.h"

#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "text/config_file.h"
#include "text/rust_call.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

using Sources = std::map<std::string, std::string>;  // a template's text by its name

// "chat_template" is one template's text or, for models with several, [{"name": …, "template": …}, …].
Sources sources_of(const Json& chat_template, const fs::path& file) {
  Sources sources;
  if (chat_template.is_string()) {
    sources["default"] = chat_template.get<std::string>();
  } else if (chat_template.is_array()) {
    for (const Json& entry : chat_template) {
      if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() ||
          !entry.contains("template") || !entry["template"].is_string())
        throw Error(
            ErrorCode::invalid_argument,
            file.string() + ": chat_template: an entry without the strings \"name\" and \"template\"");
      sources[entry["name"]] = entry["template"];
    }
  } else if (!chat_template.is_null()) {
    throw Error(ErrorCode::invalid_argument, file.string() + ": chat_template: not a text");
  }
  return sources;
}

// Templates as files, which come before those of the config: chat_template.jinja is the default one.
Sources read_sources(const fs::path& model_dir) {
  Sources sources;
  if (fs::exists(model_dir / "chat_template.jinja"))
    sources["default"] = read_file(model_dir / "chat_template.jinja");
  const fs::path more = model_dir / "additional_chat_templates";
  if (!fs::is_directory(more)) return sources;
  for (const auto& file : fs::directory_iterator(more))
    if (file.path().extension() == ".jinja") sources[file.path().stem()] = read_file(file.path());
  return sources;
}

// The special tokens' texts under their names.
void add_special_tokens(const Json& config, Json& tokens) {
  for (const char* key :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const Json content = content_of(config.value(key, Json()));
    if (content.is_string()) tokens[key] = content;
  }
}

// A message as apply_chat_template hands it on: without the keys that are null, and with its reasoning under
// both names that templates read.
Json as_templates_expect(const Json& message) {
  if (!message.is_object())
    throw Error(ErrorCode::invalid_argument, "a message that is no object: " + dump_json(message));
  Json present = Json::object();
  for (const auto& [key, value] : message.items())
    if (!value.is_null()) present[key] = value;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    if (!present.contains(name)) continue;
    const Json reasoning = present[name];
    Json aliased = {{"thinking", reasoning}};
    aliased.update(present);
    aliased["reasoning_content"] = reasoning;
    return aliased;
  }
  return present;
}

// The conversations that a template is tried with when it is loaded.
std::vector<std::pair<Json, Json>> probe_conversations() {
  const Json parameters = {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}};
  const Json function = {{"name", "weather"}, {"description", "The weather"}, {"parameters", parameters}};
  const Json tools = Json::array({{{"type", "function"}, {"function", function}}});
  const Json called = {{"name", "weather"}, {"arguments", {{"city", "Ulm"}}}};
  const Json call = {{"id", "call12345"}, {"type", "function"}, {"function", called}};
  const Json user = {{"role", "user"}, {"content", "Hello"}};
  const Json assistant = {{"role", "assistant"}, {"content", "Hi"}};
  const Json calls = {{"role", "assistant"}, {"content", ""}, {"tool_calls", Json::array({call})}};
  const Json result = {
      {"role", "tool"}, {"content", "20"}, {"name", "weather"}, {"tool_call_id", "call12345"}};
  return {{Json::array({user}), nullptr},
          {Json::array({{{"role", "system"}, {"content", "Be brief."}}, user, assistant, user}), nullptr},
          {Json::array({user, calls, result, assistant, user}), tools}};
}

}  // namespace

std::optional<ChatTemplate> ChatTemplate::load(const fs::path& model_dir) {
  const fs::path config_file = model_dir / "tokenizer_config.json";
  const Json config = read_config(config_file);
  Sources sources = read_sources(model_dir);
  const bool in_config = sources.empty();
  if (in_config) sources = sources_of(config.value("chat_template", Json(nullptr)), config_file);
  if (sources.empty()) return std::nullopt;
  if (!sources.contains("default"))
    throw Error(ErrorCode::invalid_argument, model_dir.string() + ": no chat template is named \"default\"");

  ChatTemplate chat_template;
  add_special_tokens(read_config(model_dir / "special_tokens_map.json"), chat_template.special_tokens_);
  add_special_tokens(config, chat_template.special_tokens_);
  Json contexts = Json::array();
  for (const auto& [messages, tools] : probe_conversations())
    contexts.push_back(chat_template.context(messages, true, tools));
  const std::string probes = dump_json(contexts);
  for (const auto& [name, source] : sources) {
    const fs::path file = in_config           ? config_file
                          : name == "default" ? model_dir / "chat_template.jinja"
                                              : model_dir / "additional_chat_templates" / (name + ".jinja");
    rft_text_template* tmpl = nullptr;
    call(file.string(), rft_text_template_new, view(source), view(probes), &tmpl);
    chat_template.templates_[name].reset(tmpl);
  }
  return chat_template;
}

std::string ChatTemplate::render(const Json& messages, bool add_generation_prompt, const Json& tools,
                                 std::optional<WallClock> now) const {
  if (!messages.is_array() || messages.empty())
    throw Error(ErrorCode::invalid_argument, "the messages of a chat are a list of at least one object");
  if (!tools.is_null() && !tools.is_array())
    throw Error(ErrorCode::invalid_argument, "the tools of a chat are a list");
  const auto with_tools = templates_.find("tool_use");
  const bool use_tools = !tools.is_null() && with_tools != templates_.end();
  const auto& tmpl = use_tools ? with_tools->second : templates_.at("default");
  const std::string variables = dump_json(context(messages, add_generation_prompt, tools));
  return call("chat template", rft_text_template_render, tmpl.get(), view(variables),
              static_cast<int64_t>(now.value_or(wall_clock_now()).time_since_epoch().count()));
}

Json ChatTemplate::context(const Json& messages, bool add_generation_prompt, const Json& tools) const {
  Json context = special_tokens_;
  context["messages"] = Json::array();
  for (const Json& message : messages) context["messages"].push_back(as_templates_expect(message));
  context["tools"] = tools;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  return context;
}

void ChatTemplate::Free::operator()(rft_text_template* tmpl) const { rft_text_template_free(tmpl); }

WallClock wall_clock_now() {
  const std::time_t now = std::time(nullptr);
  std::tm clock{};
  localtime_r(&now, &clock);
  return WallClock(std::chrono::seconds(timegm(&clock)));
}

WallClock parse_wall_clock(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  char rest = 0;
  const int num_read = std::sscanf(std::string(text).c_str(), "%4d-%2u-%2uT%2u:%2u:%2u%c", &year, &month,
                                   &day, &hour, &minute, &second, &rest);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (num_read != 6 || !date.ok() || hour > 23 || minute > 59 || second > 59)
    throw Error(ErrorCode::invalid_argument,
                "\"" + std::string(text) + "\" is not a time; write it as 2026-01-31T09:00:00");
  return std::chrono::local_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace rft::text
