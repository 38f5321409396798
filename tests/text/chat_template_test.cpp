#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/error.h"
#include "support/temp_dir.h"
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

class ChatTemplateVectors : public testing::TestWithParam<std::string> {};

// Every stored conversation: the same text as jinja2's or, where that raised an error, an error.
TEST_P(ChatTemplateVectors, RendersAsTransformersDoes) {
  const TempDir dir;
  write_file_atomically(dir / "chat_template.jinja", read_file(data_folder() / "templates" / GetParam()));
  write_file_atomically(
      dir / "tokenizer_config.json",
      R"({"bos_token": {"content": "<|begin|>", "lstrip": false}, "eos_token": "<|eot|>"})");
  write_file_atomically(dir / "special_tokens_map.json", R"({"unk_token": "<unk>", "bos_token": "old"})");
  const ChatTemplate chat_template = ChatTemplate::load(dir.path()).value();
  int num_cases = 0;
  for (const Json& vectors : stored_vectors("chat_vectors.json")) {
    if (vectors["template"] != GetParam()) continue;
    const WallClock now = parse_wall_clock(vectors["now"].get<std::string>());
    for (const Json& stored : vectors["cases"]) {
      ++num_cases;
      SCOPED_TRACE(stored["name"].get<std::string>());
      std::string answer, error;
      try {
        answer =
            chat_template.render(stored["messages"], stored["add_generation_prompt"], stored["tools"], now);
      } catch (const Error& caught) {
        error = caught.what();
      }
      if (stored.contains("text")) {
        EXPECT_EQ(answer, stored["text"].get<std::string>()) << error;
      } else {
        EXPECT_EQ(error.rfind("chat template: line ", 0), 0u) << error << answer;
        if (stored["error"] == "TemplateError") {
          EXPECT_NE(error.find(stored["message"].get<std::string>()), std::string::npos) << error;
        }
      }
    }
  }
  EXPECT_GT(num_cases, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, ChatTemplateVectors,
                         testing::Values("chatml.jinja", "environment.jinja", "gemma2.jinja", "gemma3.jinja",
                                         "llama3.jinja", "mistral.jinja", "qwen2.5.jinja", "qwen3.jinja"));

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
  EXPECT_EQ(chat_template.render(kHello, true, Json::array()), "plain");
  EXPECT_EQ(chat_template.render(kHello, true, Json::array({Json::object()})), "1 tools");
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
