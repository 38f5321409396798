#include "text/chat_template.h"

#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/files.h"
#include "text/rust_call.h"

namespace rft::text {
namespace fs = std::filesystem;
namespace {

using Sources = std::map<std::string, std::string>;  // a template's text by its name

Json read_object(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  Json json = parse_json(read_file(file), file.string());
  if (!json.is_object()) throw Error(ErrorCode::invalid_argument, file.string() + ": not a JSON object");
  return json;
}

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
    if (!sources.contains("default"))
      throw Error(ErrorCode::invalid_argument,
                  file.string() + ": chat_template: no template is named \"default\"");
  } else if (!chat_template.is_null()) {
    throw Error(ErrorCode::invalid_argument, file.string() + ": chat_template: not a text");
  }
  return sources;
}

// The special tokens' texts under their names: a token is a text or {"content": text, …}.
void add_special_tokens(const Json& config, Json& tokens) {
  for (const auto& [key, value] : config.items()) {
    if (!key.ends_with("_token")) continue;
    if (value.is_string()) tokens[key] = value;
    if (value.is_object() && value.contains("content") && value["content"].is_string())
      tokens[key] = value["content"];
  }
}

}  // namespace

std::optional<ChatTemplate> ChatTemplate::load(const fs::path& model_dir) {
  const fs::path config_file = model_dir / "tokenizer_config.json";
  const Json config = read_object(config_file);
  fs::path file = model_dir / "chat_template.jinja";
  Sources sources;
  if (fs::exists(file)) {
    sources["default"] = read_file(file);
  } else {
    file = config_file;
    sources = sources_of(config.value("chat_template", Json(nullptr)), file);
  }
  if (sources.empty()) return std::nullopt;

  ChatTemplate chat_template;
  add_special_tokens(read_object(model_dir / "special_tokens_map.json"), chat_template.special_tokens_);
  add_special_tokens(config, chat_template.special_tokens_);
  const Json probe_message = {{"role", "user"}, {"content", "Hello"}};
  const std::string probe = dump_json(chat_template.context(Json::array({probe_message}), true, nullptr));
  for (const auto& [name, source] : sources) {
    rft_text_template* tmpl = nullptr;
    call(file.string(), rft_text_template_new, view(source), view(probe), &tmpl);
    chat_template.templates_[name].reset(tmpl);
  }
  return chat_template;
}

std::string ChatTemplate::render(const Json& messages, bool add_generation_prompt, const Json& tools,
                                 std::optional<WallClock> now) const {
  const auto with_tools = templates_.find("tool_use");
  const bool use_tools = !tools.empty() && with_tools != templates_.end();
  const auto& tmpl = use_tools ? with_tools->second : templates_.at("default");
  const std::string variables = dump_json(context(messages, add_generation_prompt, tools));
  return call("chat template", rft_text_template_render, tmpl.get(), view(variables),
              static_cast<int64_t>(now.value_or(wall_clock_now()).time_since_epoch().count()));
}

Json ChatTemplate::context(const Json& messages, bool add_generation_prompt, const Json& tools) const {
  Json context = special_tokens_;
  context["messages"] = messages;
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
