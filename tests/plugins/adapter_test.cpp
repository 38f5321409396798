#include "plugins/adapter.h"

#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

AdapterOptions adapter_options(const fs::path& plugin, const TemporaryFolder& folder) {
  AdapterOptions options = options_for(plugin, folder);
  return options;
}

// Converts `lines` with a shipped adapter; answers the file that it wrote.
std::string convert(const std::string& adapter, const std::string& lines,
                    const Json& options = Json::object()) {
  const TemporaryFolder folder;
  AdapterOptions adapter_of = adapter_options(fs::path(RFT_SHIPPED_PLUGINS_DIR) / (adapter + ".so"), folder);
  adapter_of.options = options;
  convert_dataset(adapter_of, folder.write("in.jsonl", lines), folder.path() / "out.jsonl");
  return read_file(folder.path() / "out.jsonl");
}

void expect_bad_line(const std::string& adapter, const std::string& lines, const std::string& where_and_why,
                     const Json& options = Json::object()) {
  try {
    convert(adapter, lines, options);
    ADD_FAILURE() << "converted " << lines;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(where_and_why), std::string::npos) << error.what();
  }
}

TEST(JsonlAdapter, MakesThePromptOfTaskAndInput) {
  EXPECT_EQ(convert("jsonl", R"({"task":"t","input":"i","output":"o","more":[1]})"
                             "\n\n"
                             R"({"input":"zwei äöü"})"),
            R"({"prompt":"t\ni\n","output":"o","record":{"task":"t","input":"i","output":"o","more":[1]}})"
            "\n"
            R"({"prompt":"zwei äöü\n","record":{"input":"zwei äöü"}})"
            "\n");
}

TEST(JsonlAdapter, FillsATemplateOverTheRecordsKeys) {
  const Json options = {{"prompt", "{question}? {\"n\": {n}} {list} {"}};
  EXPECT_EQ(convert("jsonl", R"({"question":"Why","n":1.50,"list":["a"]})", options),
            R"({"prompt":"Why? {\"n\": 1.5} [\"a\"] {","record":{"question":"Why","n":1.5,"list":["a"]}})"
            "\n");
  expect_bad_line("jsonl", "{\"question\":\"Why\"}", "in.jsonl:1: the record has no \"n\"", options);
}

TEST(JsonlAdapter, BadLinesAreNamed) {
  expect_bad_line("jsonl", "{\"input\":\"a\"}\n{\"task\":\"b\"}\n",
                  "in.jsonl:2: the record has no \"input\"");
  expect_bad_line("jsonl", "{\"input\":\"a\"}\n{\"input\":\n", "in.jsonl:2: not valid JSON");
  expect_bad_line("jsonl", "[1]", "in.jsonl:1: not a JSON object");
  expect_bad_line("jsonl", "{\"input\":5}", "\"input\" must be a string");
  expect_bad_line("jsonl", "{\"input\":\"a\",\"output\":5}", "\"output\" must be a string");
  expect_bad_line("jsonl", "{\"messages\":[]}", "set adapter = \"chat\"");
}

TEST(ChatAdapter, ALastAssistantMessageIsTheOutput) {
  EXPECT_EQ(convert("chat", R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},)"
                            R"({"role":"assistant","content":"a"}],"key":1})"),
            R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"output":"a",)"
            R"("record":{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},)"
            R"({"role":"assistant","content":"a"}],"key":1}})"
            "\n");
  EXPECT_EQ(
      convert("chat", R"({"messages":[{"role":"user","content":"u"}]})"),
      R"({"prompt":[{"role":"user","content":"u"}],"record":{"messages":[{"role":"user","content":"u"}]}})"
      "\n");
}

TEST(ChatAdapter, BadLinesAreNamed) {
  expect_bad_line("chat", R"({"input":"a"})", "set adapter = \"jsonl\"");
  expect_bad_line("chat", R"({"messages":[{"role":"king","content":"a"}]})", "unknown role \"king\"");
  expect_bad_line("chat", R"({"messages":[{"role":"user","content":"a"},{"content":"a"}]})",
                  "message 2 has no \"role\"");
  expect_bad_line("chat", R"({"messages":[{"role":"user"}]})", "message 1 has no \"content\"");
  expect_bad_line("chat", R"({"messages":[{"role":"assistant","content":"a"}]})", "nothing to answer");
  expect_bad_line("chat", R"({"messages":[{"role":"user","content":"a"},{"role":"system","content":"a"}]})",
                  "nothing to answer");
}

TEST(Adapter, ConvertsManyLinesInOrder) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "{\"n\":" + std::to_string(i) + "}\n";
  EXPECT_EQ(convert_dataset(adapter_options(hostile_plugin("hostile_adapter"), folder),
                            folder.write("in.jsonl", lines), folder.path() / "out.jsonl"),
            1000u);
  int expected = 0;
  for_each_json_line(folder.path() / "out.jsonl",
                     [&](Json&& record, size_t) { EXPECT_EQ(record["record"]["n"], expected++); });
  EXPECT_EQ(expected, 1000);
}

TEST(Adapter, WhatItDoesWrongIsItsError) {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& plugin, const std::string& line) {
    convert_dataset(adapter_options(hostile_plugin(plugin), folder), folder.write("in.jsonl", line),
                    folder.path() / "out.jsonl");
  };
  expect_plugin_error(PluginFailure::crashed, {"adapter hostile_adapter.so", "signal 11", "converting"},
                      [&] { run("hostile_adapter", "{\"do\":\"crash\"}"); });
  expect_plugin_error(PluginFailure::protocol, {"in.jsonl:1", "not valid JSON"},
                      [&] { run("hostile_adapter", "{\"do\":\"bad_messages\"}"); });
  expect_plugin_error(PluginFailure::not_loadable, {"it is a scorer, and a dataset-adapter is wanted"},
                      [&] { run("plain", "{}"); });
  try {
    run("hostile_adapter", "{}\n{}\n{\"do\":\"refuse\"}");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in.jsonl:3: this record is not to my taste"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(fs::exists(folder.path() / "out.jsonl"));
}

}  // namespace
}  // namespace rft::plugins
