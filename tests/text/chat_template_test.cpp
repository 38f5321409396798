#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "support/temp_dir.h"
#include "support/write_text.h"
#include "text/vectors.h"

namespace rft::text {
namespace {

const Json kHello = {{{"role", "user"}, {"content", "Hello"}}};

// A model's folder that has this template in tokenizer_config.json.
ChatTemplate load(const TempDir& dir, const Json& chat_template, Json config = Json::object()) {
  config["chat_template"] = chat_template;
  write_file_atomically(dir / "tokenizer_config.json", config.dump());
  auto loaded = ChatTemplate::load(dir.path());
  if (!loaded) throw std::runtime_error("no template found");
  return std::move(*loaded);
}

std::string load_error(const std::string& source) {
  const TempDir dir;
  try {
    load(dir, source);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return {};
}

std::string render_error(const ChatTemplate& chat_template, const Json& messages) {
  try {
    chat_template.render(messages);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return {};
}

// Expects what the reference answered: the same text or, where it raised an error, an error.
void expect_answer(const Json& stored, const std::function<std::string()>& render) {
  std::string answer, error;
  try {
    answer = render();
  } catch (const Error& caught) {
    error = caught.what();
  }
  if (stored.contains("text")) {
    EXPECT_EQ(answer, stored["text"].get<std::string>()) << error;
  } else {
    EXPECT_NE(error, "") << answer << "\n instead of " << stored;
    if (stored["error"] == "TemplateError") {
      EXPECT_EQ(error.rfind("chat template: line ", 0), 0u) << error;
      EXPECT_NE(error.find(stored["message"].get<std::string>()), std::string::npos) << error;
    }
  }
}

// The special tokens that the stored vectors were made with.
void write_special_tokens(const TempDir& dir) {
  write_file_atomically(
      dir / "tokenizer_config.json",
      R"({"bos_token": {"content": "<|begin|>", "lstrip": false}, "eos_token": "<|eot|>"})");
  write_file_atomically(dir / "special_tokens_map.json", R"({"unk_token": "<unk>", "bos_token": "old"})");
}

class ChatTemplateVectors : public testing::TestWithParam<std::string> {};

TEST_P(ChatTemplateVectors, RendersAsTransformersDoes) {
  const TempDir dir;
  write_special_tokens(dir);
  write_file_atomically(dir / "chat_template.jinja", read_file(data_folder() / "templates" / GetParam()));
  const ChatTemplate chat_template = ChatTemplate::load(dir.path()).value();
  const Json vectors = stored_vectors("chat_vectors.json");
  const WallClock now = parse_wall_clock(vectors["now"].get<std::string>());
  int num_cases = 0;
  for (const Json& family : vectors["templates"]) {
    if (family["template"] != GetParam()) continue;
    for (const Json& stored : family["cases"]) {
      ++num_cases;
      const auto conversation = stored["conversation"].get<std::string>();
      SCOPED_TRACE(conversation);
      const Json tools = stored["tools"] ? vectors["tools"] : Json();
      expect_answer(stored, [&] {
        return chat_template.render(vectors["conversations"][conversation], stored["add_generation_prompt"],
                                    tools, now);
      });
    }
  }
  EXPECT_GT(num_cases, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, ChatTemplateVectors,
                         testing::Values("chatml.jinja", "command-r.jinja", "deepseek-r1.jinja",
                                         "environment.jinja", "gemma2.jinja", "gemma3.jinja",
                                         "granite3.jinja", "llama2.jinja", "llama3.jinja", "mistral.jinja",
                                         "olmo2.jinja", "phi3.jinja", "phi4-mini.jinja", "qwen2.5.jinja",
                                         "qwen3.jinja", "smollm2.jinja", "zephyr.jinja"));

// tests/data/template_snippets.py: a small template for each thing that jinja2 does in its own way.
TEST(ChatTemplate, SnippetsRenderAsInJinja2) {
  const TempDir dir;
  write_special_tokens(dir);
  const Json vectors = stored_vectors("snippet_vectors.json");
  const WallClock now = parse_wall_clock(vectors["now"].get<std::string>());
  for (const Json& stored : vectors["snippets"]) {
    SCOPED_TRACE(stored["template"].get<std::string>());
    write_text(dir / "chat_template.jinja", stored["template"].get<std::string>());
    expect_answer(stored, [&] {
      return ChatTemplate::load(dir.path())->render(vectors["messages"], true, vectors["tools"], now);
    });
  }
}

TEST(ChatTemplate, FolderWithoutOneHasNone) {
  const TempDir dir;
  EXPECT_FALSE(ChatTemplate::load(dir.path()));
  write_file_atomically(dir / "tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_FALSE(ChatTemplate::load(dir.path()));
}

TEST(ChatTemplate, ItsOwnFileIsReadBeforeTheTokenizersConfig) {
  const TempDir dir;
  write_file_atomically(dir / "chat_template.jinja", "file");
  EXPECT_EQ(load(dir, "config").render(kHello), "file");
}

TEST(ChatTemplate, TheOneForToolsTakesConversationsWithTools) {
  const TempDir dir;
  const Json templates = {{{"name", "default"}, {"template", "plain"}},
                          {{"name", "tool_use"}, {"template", "{{ tools | length }} tools"}}};
  const ChatTemplate chat_template = load(dir, templates);
  EXPECT_EQ(chat_template.render(kHello), "plain");
  EXPECT_EQ(chat_template.render(kHello, true, Json::array()), "0 tools") << "as in transformers";
  EXPECT_EQ(chat_template.render(kHello, true, Json::array({Json::object()})), "1 tools");
}

TEST(ChatTemplate, OthersThanTheDefaultHaveAFolder) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "additional_chat_templates");
  write_file_atomically(dir / "additional_chat_templates/tool_use.jinja", "{{ tools | length }} tools");
  EXPECT_THROW(ChatTemplate::load(dir.path()), Error) << "none is the default";
  write_file_atomically(dir / "chat_template.jinja", "plain");
  const ChatTemplate chat_template = ChatTemplate::load(dir.path()).value();
  EXPECT_EQ(chat_template.render(kHello), "plain");
  EXPECT_EQ(chat_template.render(kHello, true, Json::array({Json::object()})), "1 tools");
  write_file_atomically(dir / "additional_chat_templates/tool_use.jinja", "\n{{ 1 +");
  try {
    ChatTemplate::load(dir.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tool_use.jinja: line 2: "), std::string::npos) << error.what();
  }
}

TEST(ChatTemplate, ConfigThatHoldsNoTemplateIsRefused) {
  const TempDir dir;
  EXPECT_THROW(load(dir, 7), Error);
  EXPECT_THROW(load(dir, Json::array({{{"name", "rag"}, {"template", "x"}}})), Error);
  EXPECT_THROW(load(dir, Json::array({{{"name", "default"}}})), Error);
  write_file_atomically(dir / "tokenizer_config.json", "[]");
  EXPECT_THROW(ChatTemplate::load(dir.path()), Error);
}

TEST(ChatTemplate, WhatCannotBeRenderedIsAnErrorAtLoadWithItsLine) {
  EXPECT_NE(load_error("a\n\n{% for m in messages %}").find("tokenizer_config.json: line 3: "),
            std::string::npos);
  EXPECT_NE(load_error("a\n{{ messages | no_such_filter }}").find("line 2: unknown filter"),
            std::string::npos);
  EXPECT_NE(load_error("{{ messages is no_such_test }}").find("line 1: unknown test"), std::string::npos);
  EXPECT_NE(load_error("\n{{ no_such_function() }}").find("line 2: unknown function"), std::string::npos);
  EXPECT_NE(load_error("{{ 'x'.no_such_method() }}").find("line 1: unknown method"), std::string::npos);
  EXPECT_NE(load_error("{% include 'other' %}"), "");
}

TEST(ChatTemplate, WhatOnlyLongerConversationsOrToolsReachIsFoundAtLoad) {
  EXPECT_NE(
      load_error("{% if messages | length > 1 %}\n{{ 'x' | no_such_filter }}{% endif %}").find("line 2: "),
      std::string::npos);
  EXPECT_NE(load_error("{% if tools %}{{ tools | no_such_filter }}{% endif %}"), "");
  EXPECT_NE(load_error("{% for m in messages if m.tool_calls %}{{ no_such() }}{% endfor %}"), "");
}

// What a template asks of a value that the tried conversations lack, or have in another form, is not its
// fault.
TEST(ChatTemplate, MethodsOfAbsentValuesAreNoErrorAtLoad) {
  EXPECT_EQ(load_error("{{ messages[9].get('x') }}{{ messages[0].no.strip() }}"), "");
  EXPECT_EQ(load_error("{% for m in messages if m.tool_calls %}"
                       "{{ m.tool_calls[0].function.arguments.strip() }}{% endfor %}"),
            "");
}

TEST(ChatTemplate, MessagesThatAreNoConversationAreRefused) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "x");
  for (const Json& messages : {Json(), Json::array(), Json::object(), Json("x"), Json::array({1})})
    EXPECT_NE(render_error(chat_template, messages), "") << messages;
  EXPECT_THROW(chat_template.render(kHello, true, "tools"), Error);
}

TEST(ChatTemplate, MayRefuseThePlainMessageThatLoadingTriesItWith) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "\n{{ raise_exception('needs a \"system\" message') }}");
  EXPECT_EQ(render_error(chat_template, kHello), "chat template: line 2: needs a \"system\" message");
}

TEST(ChatTemplate, MissingMembersAreErrorsThatNameTheLine) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "x\n{{ messages[0].no.such }}");
  EXPECT_EQ(render_error(chat_template, kHello), "chat template: line 2: undefined value");
}

TEST(ChatTemplate, OneThatDoesNotEndIsRefusedAtLoad) {
  const std::string loop = "{% for i in range(99999) %}";
  EXPECT_NE(load_error(loop + loop + "x{% endfor %}{% endfor %}").find("does not come to an end"),
            std::string::npos);
}

TEST(ChatTemplate, ValuesNestedWithoutEndAreErrorsNotACrash) {
  const TempDir dir;
  const std::string nest =
      "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}";
  for (const char* shown : {"{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x | string }}"})
    EXPECT_NE(render_error(load(dir, nest + shown), kHello).find("nested deeper"), std::string::npos)
        << shown;
}

TEST(ChatTemplate, ClockIsTheRealOneUnlessGiven) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "{{ strftime_now('%Y-%m-%dT%H:%M:%S') }}");
  EXPECT_EQ(chat_template.render(kHello, true, nullptr, parse_wall_clock("1999-12-31T23:59:58")),
            "1999-12-31T23:59:58");
  const WallClock before = wall_clock_now();
  const WallClock shown = parse_wall_clock(chat_template.render(kHello));
  EXPECT_LE(before, shown);
  EXPECT_LE(shown, wall_clock_now());
}

TEST(ChatTemplate, StrftimeTakesAnEmptyFormat) {
  const TempDir dir;
  EXPECT_EQ(load(dir, "[{{ strftime_now('') }}]").render(kHello), "[]");
}

TEST(ChatTemplate, MessagesOfAnyBytesAreRendered) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "{{ messages[0].content }}");
  EXPECT_EQ(chat_template.render({{{"role", "user"}, {"content", "a\xff"}}}), "a\ufffd");
  EXPECT_EQ(chat_template.render({{{"role", "user"}, {"content", std::string("nul\0!", 5)}}}),
            std::string("nul\0!", 5));
}

TEST(ChatTemplate, EndlessRecursionIsAnErrorNotACrash) {
  const TempDir dir;
  const ChatTemplate chat_template = load(dir, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
  EXPECT_NE(render_error(chat_template, kHello), "");
}

TEST(WallClock, RefusesWhatIsNoTime) {
  EXPECT_EQ(parse_wall_clock("1970-01-02T00:00:01").time_since_epoch().count(), 86401);
  for (const char* text :
       {"", "2026-01-31", "2026-02-30T00:00:00", "2026-01-31T24:00:00", "2026-01-31T09:00:00Z"})
    EXPECT_THROW(parse_wall_clock(text), Error) << text;
}

}  // namespace
}  // namespace rft::text
