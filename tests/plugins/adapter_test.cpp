#include "plugins/adapter.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "plugins/note.h"
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

// Reads `file` of `folder` with a shipped reader; answers the records, or what it was refused with.
std::string read_with(const std::string& adapter, const TemporaryFolder& folder, const std::string& file,
                      const Json& options = Json::object()) {
  AdapterOptions adapter_of = adapter_options(fs::path(RFT_SHIPPED_PLUGINS_DIR) / (adapter + ".so"), folder);
  adapter_of.options = options;
  try {
    convert_dataset(adapter_of, folder.path() / file, folder.path() / "out.jsonl");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return read_file(folder.path() / "out.jsonl");
}

std::string read_text(const std::string& adapter, const std::string& text,
                      const Json& options = Json::object()) {
  const TemporaryFolder folder;
  folder.write("in.txt", text);
  return read_with(adapter, folder, "in.txt", options);
}

TEST(TableAdapter, ReadsQuotedFieldsAsRfc4180SaysThem) {
  EXPECT_EQ(
      read_text("csv", "\xEF\xBB\xBFinput,output,more\r\n\"a, \"\"b\"\"\nc\",d,\r\n\r\ne,\"\",f"),
      R"({"prompt":"a, \"b\"\nc\n","output":"d","record":{"input":"a, \"b\"\nc","output":"d","more":""}})"
      "\n"
      R"({"prompt":"e\n","output":"","record":{"input":"e","output":"","more":"f"}})"
      "\n");
  EXPECT_EQ(read_text("tsv", "input\toutput\na,b\t\"c\td\"\n"),
            R"({"prompt":"a,b\n","output":"c\td","record":{"input":"a,b","output":"c\td"}})"
            "\n");
}

TEST(TableAdapter, MapsColumnsAndFillsTheTemplate) {
  EXPECT_EQ(read_text("csv", "question,answer\nWhy?,So.\n", {{"input", "question"}, {"output", "answer"}}),
            R"({"prompt":"Why?\n","output":"So.","record":{"input":"Why?","output":"So."}})"
            "\n");
  EXPECT_EQ(read_text("csv", "question,level\nWhy?,3\n", {{"prompt", "{level}: {question}"}}),
            R"({"prompt":"3: Why?","record":{"question":"Why?","level":"3"}})"
            "\n");
}

TEST(TableAdapter, NamesFileAndLineOfWhatIsWrong) {
  const std::string head = "input,output\n";
  EXPECT_EQ(read_text("csv", ""), "in.txt:1: there is nothing in it; the first row names the columns");
  EXPECT_TRUE(read_text("csv", head + "\"a\nb\",c\nd\n").starts_with("in.txt:4: 1 fields, and the header"));
  EXPECT_TRUE(read_text("csv", head + "a,b\n\"c,d\ne,f\n").starts_with("in.txt:3: a quoted field that does"));
  EXPECT_TRUE(read_text("csv", head + "a\"b,c\n").starts_with("in.txt:2: a quote within a field"));
  EXPECT_TRUE(read_text("csv", head + "\"a\"b,c\n").starts_with("in.txt:2: text after a quoted field"));
  EXPECT_TRUE(read_text("csv", head + "a,\xff\n").starts_with("in.txt:2: not valid UTF-8"));
  EXPECT_TRUE(read_text("csv", "a,a\n").starts_with("in.txt:1: two columns are \"a\""));
  EXPECT_TRUE(read_text("csv", "a,b\nc,d\n").starts_with("in.txt:2: the record has no \"input\""));
  EXPECT_EQ(read_text("csv", "a,b\nc,d\n", {{"input", "q"}}),
            "in.txt:1: there is no column \"q\"; there are a, b");
}

// The `input` of each record of a mix, in its order.
std::string inputs_of(const std::string& lines) {
  std::string inputs;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) inputs += Json::parse(line)["record"].value("input", "-");
  return inputs;
}

TEST(MultiAdapter, MixesByWeightTheSameWayEveryTime) {
  const TemporaryFolder folder;
  std::string lines;
  for (const char c : std::string("abcdefgh")) lines += std::string("{\"input\":\"") + c + "\"}\n";
  folder.write("letters.jsonl", lines);
  folder.write("signs.csv", "question\n+\n*\n");
  const auto mix = [&](const Json& more) {
    Json list = {{"sources", Json::array({{{"path", "letters.jsonl"}, {"weight", 3}},
                                          {{"path", "signs.csv"}, {"input", "question"}}})}};
    list.update(more);
    folder.write("mix.json", dump_json(list));
    return inputs_of(read_with("multi", folder, "mix.json"));
  };
  const auto num_signs = [](const std::string& text) { return std::ranges::count_if(text, ::ispunct); };
  const std::string first = mix({{"seed", 7}});
  EXPECT_EQ(first.size(), 8u) << "two signs are a quarter of eight";
  EXPECT_EQ(num_signs(first), 2);
  EXPECT_EQ(mix({{"seed", 7}}), first);
  EXPECT_NE(mix({{"seed", 8}}), first);
  const std::string many = mix({{"records", 40}});
  EXPECT_EQ(many.size(), 40u);
  EXPECT_EQ(num_signs(many), 10);
}

TEST(MultiAdapter, StaysInTheFolderAndNamesWhatIsWrong) {
  const TemporaryFolder folder;
  folder.write("a.jsonl", "{\"input\":\"a\"}\n{\"input\":\n");
  folder.write("chat.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}\n");
  const auto read_list = [&](const std::string& list) {
    folder.write("mix.json", list);
    return read_with("multi", folder, "mix.json");
  };
  const auto one = [](const std::string& source) { return "{\"sources\":[{" + source + "}]}"; };
  EXPECT_NE(read_list(one("\"path\":\"chat.jsonl\",\"format\":\"chat\"")).find("\"content\":\"hi\""),
            std::string::npos);
  EXPECT_TRUE(read_list(one("\"path\":\"a.jsonl\"")).starts_with("a.jsonl:2: not valid JSON"));
  const std::string outside = "mix.json: \"path\" of source 1 must be a path inside the job folder";
  EXPECT_EQ(read_list(one("\"path\":\"../a.jsonl\"")), outside);
  EXPECT_EQ(read_list(one("\"path\":\"/etc/passwd\"")), outside);
  EXPECT_EQ(read_list(one("\"path\":\"a.jsonl\",\"wieght\":1")),
            "mix.json: source 1 has the unknown key \"wieght\"");
  EXPECT_EQ(read_list(one("\"path\":\"a.jsonl\",\"weight\":0")),
            "mix.json: \"weight\" of source 1 must be above 0");
  EXPECT_EQ(read_list(one("\"path\":\"gone.jsonl\"")),
            "mix.json: gone.jsonl, the \"path\" of source 1, is no file of the job folder");
  EXPECT_TRUE(read_list("{\"sources\":\n[}").starts_with("mix.json: not valid JSON: parse error at line 2"));
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

// Converts `lines` with a script, `options` its own.
std::string convert_with_script(const std::string& name, const std::string& script, const std::string& lines,
                                const Json& options = Json::object()) {
  const TemporaryFolder folder;
  AdapterOptions adapter = adapter_options(folder.write(name, script, true), folder);
  adapter.kind = name.ends_with(".py") ? "python" : "command";
  adapter.options = options;
  convert_dataset(adapter, folder.write("in.jsonl", lines), folder.path() / "out.jsonl");
  return read_file(folder.path() / "out.jsonl");
}

void expect_script_error(PluginFailure kind, const std::vector<std::string>& parts, const std::string& script,
                         const std::string& lines = "{\"n\": 1}\n") {
  expect_plugin_error(kind, parts, [&] { convert_with_script("adapter.py", script, lines); });
}

TEST(PythonAdapter, MakesOneSeveralOrNoPromptsOfARecord) {
  const char* const script =
      "options = {}\n"
      "def configure(given): options.update(given)\n"
      "def adapt(record):\n"
      "    print('to the log, not to the answers')\n"
      "    n = record['n']\n"
      "    if n == 0: return None\n"
      "    if n == 1: return {'prompt': options['word'], 'output': 'äöü'}\n"
      "    if n == 2: return {'prompt': [{'role': 'user', 'content': 'hi'}], 'record': {'new': True}}\n"
      "    return ({'prompt': str(i)} for i in range(n))\n";
  EXPECT_EQ(convert_with_script("adapter.py", script, "{\"n\":0}\n{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}\n",
                                {{"word", "w"}}),
            R"({"prompt":"w","output":"äöü","record":{"n":1}})"
            "\n"
            R"({"prompt":[{"role":"user","content":"hi"}],"record":{"new":true}})"
            "\n"
            R"({"prompt":"0","record":{"n":3}})"
            "\n"
            R"({"prompt":"1","record":{"n":3}})"
            "\n"
            R"({"prompt":"2","record":{"n":3}})"
            "\n");
}

// Reads a file of `text` with a reader in Python; answers the records, or what it was refused with.
std::string read_with_script(const std::string& script, const std::string& text) {
  const TemporaryFolder folder;
  AdapterOptions reader = adapter_options(folder.write("reader.py", script, true), folder);
  reader.kind = "python";
  try {
    convert_dataset(reader, folder.write("in.txt", text), folder.path() / "out.jsonl");
    return read_file(folder.path() / "out.jsonl");
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(PythonReader, YieldsTheExamplesOfAFile) {
  const char* const script =
      "options = {}\n"
      "def configure(given): options.update(given)\n"
      "def read(path):\n"
      "    print('to the log, not to the answers')\n"
      "    for n, word in enumerate(open(path, encoding='utf-8').read().split()):\n"
      "        yield {'prompt': word, 'output': str(n), 'record': {'n': n}} if n else {'prompt': word}\n";
  EXPECT_EQ(read_with_script(script, "äöü two"), R"({"prompt":"äöü","record":{}})"
                                                 "\n"
                                                 R"({"prompt":"two","output":"1","record":{"n":1}})"
                                                 "\n");
  EXPECT_EQ(read_with_script(script, ""), "");
}

// Beyond one frame's worth of them, and several files one after the other.
TEST(PythonReader, TakesLargeFilesInPortions) {
  const TemporaryFolder folder;
  AdapterOptions options = adapter_options(folder.write("reader.py",
                                                        "def read(path):\n"
                                                        "    for n in range(int(open(path).read())):\n"
                                                        "        yield {'prompt': 'p' * (1 << 20)}\n",
                                                        true),
                                           folder);
  options.kind = "python";
  DatasetAdapter adapter(options);
  for (const size_t wanted : {20, 8, 0, 1})
    EXPECT_EQ(adapter.convert(folder.write("in.txt", std::to_string(wanted)), folder.path() / "out.jsonl"),
              wanted);
}

TEST(PythonReader, SaysWhatIsWrongWithAFileOrWithItself) {
  const auto read = [](const std::string& body) { return read_with_script("def read(path):\n" + body, "a"); };
  EXPECT_EQ(read("    yield {'prompt': 'a'}\n    raise ValueError('no more')\n"),
            "in.txt: ValueError: no more (reader.py:3)");
  EXPECT_NE(read("    return 'a prompt'\n").find("in.txt: TypeError: read() must return a list of dicts"),
            std::string::npos);
  EXPECT_NE(read("    return [None]\n").find("among them is None"), std::string::npos);
  EXPECT_NE(read("    return [{'output': 'a'}]\n").find("\"prompt\" is neither a string nor a list"),
            std::string::npos);
  EXPECT_NE(read("    import os\n    os._exit(3)\n").find("exited with code 3"), std::string::npos);
}

TEST(PythonReader, IsOneOnlyWithoutAdapt) {
  const TemporaryFolder folder;
  const auto kind = [&](const std::string& text) {
    return detect_kind(folder.write("plugin.py", text), "python");
  };
  EXPECT_EQ(kind("def read(path):\n"), "dataset-adapter");
  EXPECT_EQ(kind("def read(path):\ndef grade(sample, item):\n"), "scorer");
  EXPECT_EQ(convert_with_script("adapter.py",
                                "def read(path):\n    return []\n"
                                "def adapt(record):\n    return {'prompt': 'by record'}\n",
                                "{\"n\":0}\n"),
            R"({"prompt":"by record","record":{"n":0}})"
            "\n");
}

TEST(PythonAdapter, TakesSeveralFilesWithOneProcess) {
  const TemporaryFolder folder;
  AdapterOptions options = adapter_options(folder.write("adapter.py",
                                                        "n = 0\n"
                                                        "def adapt(record):\n"
                                                        "    global n\n"
                                                        "    n += 1\n"
                                                        "    return {'prompt': str(n)}\n"),
                                           folder);
  options.kind = "python";
  DatasetAdapter adapter(options);
  for (const std::string file : {"train", "validation"}) {
    EXPECT_EQ(adapter.convert(folder.write(file + ".jsonl", "{}\n"), folder.path() / file), 1u);
    EXPECT_EQ(parse_json(read_file(folder.path() / file), file)["prompt"], file == "train" ? "1" : "2");
  }
}

TEST(PythonAdapter, WhatItDoesWrongNamesFileAndLine) {
  const auto refused = [](const std::string& body) {
    try {
      convert_with_script("adapter.py", "def adapt(record):\n    " + body + "\n", "{\"a\":1}\n{\"b\":1}\n");
    } catch (const PluginError& error) {
      return "of the plugin: " + std::string(error.what());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(refused("return {'prompt': record['a'] * 'x'}"), "in.jsonl:2: KeyError: 'a' (adapter.py:2)");
  has(refused("return 'a prompt'"), "in.jsonl:1: TypeError: adapt() must return a dict with \"prompt\"");
  has(refused("return {'prompt': {1, 2}}"), "in.jsonl:1: TypeError: Object of type set");
  has(refused("return {'output': 'x'}"), "\"prompt\" is neither a string nor a list of messages");
  has(refused("return {'prompt': 'x', 'output': 3}"), "\"output\" is no string");
  has(refused("return {'prompt': 'x', 'record': 3}"), "\"record\" is no object");
  has(refused("return {'prompt': ['x']}"), "in.jsonl:1 it answered a message without a role");
}

TEST(PythonAdapter, FailsAsAScorerDoes) {
  expect_script_error(PluginFailure::not_loadable, {"adapter adapter.py", "it is a scorer"},
                      "def grade(sample, item): return 1\n");
  expect_script_error(PluginFailure::not_loadable, {"SyntaxError"}, "def adapt(record:\n");
  expect_script_error(PluginFailure::threw, {"ValueError: unknown option"},
                      "def configure(given): raise ValueError('unknown option')\ndef adapt(record): pass\n");
  expect_script_error(PluginFailure::crashed, {"adapter adapter.py", "code 3", "converting"},
                      "import os\ndef adapt(record): os._exit(3)\n");
}

TEST(CommandAdapter, SpeaksTheLinesOfTheDocument) {
  const char* const script =
      "#!/bin/sh\n"
      "while read -r line; do\n"
      "  case $line in\n"
      "    *'\"index\":0'*) echo '{\"prompt\":\"zero\"}' ;;\n"
      "    *'\"of\":3,'*1}*) echo "
      "\"[{\\\"prompt\\\":\\\"$RFT_ADAPTER_OPTIONS\\\"},{\\\"prompt\\\":\\\"b\\\"}]\" ;;\n"
      "    *) echo null ;;\n"
      "  esac\n"
      "done\n";
  EXPECT_EQ(convert_with_script("adapter", script, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n"),
            "{\"prompt\":\"zero\",\"record\":{\"n\":0}}\n{\"prompt\":\"{}\",\"record\":{\"n\":1}}\n"
            "{\"prompt\":\"b\",\"record\":{\"n\":1}}\n");
  try {
    convert_with_script(
        "adapter", "#!/bin/sh\nread -r line; echo '{\"error\":\"not this one\"}'; cat >/dev/null\n", "{}\n");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in.jsonl:1: not this one"), std::string::npos) << error.what();
  }
  expect_plugin_error(PluginFailure::protocol, {"a line that is no example: not valid JSON", "hello"}, [] {
    convert_with_script("adapter", "#!/bin/sh\nread -r line; echo hello; cat >/dev/null\n", "{}\n");
  });
}

TEST(Adapter, AReaderThatNeverEndsIsStopped) {
  const TemporaryFolder folder;
  folder.write("in.txt", "");
  AdapterOptions options = adapter_options(hostile_plugin("hostile_reader"), folder);
  options.memory_limit_bytes = uint64_t{96} << 20;
  expect_plugin_error(
      PluginFailure::protocol, {"hostile_reader.so", "more records", "than it can hold"},
      [&] { convert_dataset(options, folder.path() / "in.txt", folder.path() / "out.jsonl"); });
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
