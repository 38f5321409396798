// rft-plugin-host conformance on plugins that keep the rules, and on one for each way of breaking them.
#include "base/subprocess.h"
#include "plugins/isolation.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

// check -> "verdict: detail", of a plugin of the tests under these options.
std::map<std::string, std::string> verdicts(const fs::path& plugin, const std::string& options = "{}",
                                            const std::string& data = "", const std::string& timeout = "10") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out.txt";
  ProcessOptions process;
  process.argv = {fs::path(RFT_BIN_DIR) / "rft-plugin-host",
                  "conformance",
                  plugin,
                  "--options",
                  options,
                  "--timeout",
                  timeout};
  if (!data.empty())
    process.argv.insert(process.argv.end(), {"--data", folder.write("data.jsonl", data).string()});
  process.stderr_file = out;
  Subprocess(process).wait(-1);
  std::map<std::string, std::string> found;
  std::ifstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (row.is_object() && row.contains("check"))
      found[row["check"]] = row["verdict"].get<std::string>() + ": " + row["detail"].get<std::string>();
  }
  return found;
}

std::string verdict(const std::string& check, const std::string& when, const std::string& deed,
                    const std::string& timeout = "10") {
  return verdicts(hostile_plugin("hostile"), dump_json({{"when", when}, {"do", deed}}), "", timeout)[check];
}

TEST(Conformance, WhatKeepsTheRulesPasses) {
  for (const fs::path& plugin : {fs::path(RFT_SHIPPED_PLUGINS_DIR) / "exact_match.so",
                                 fs::path(RFT_SHIPPED_PLUGINS_DIR) / "jsonl.so", hostile_plugin("plain")}) {
    const auto found = verdicts(plugin);
    EXPECT_EQ(found.size(), 11u);
    for (const auto& [check, said] : found)
      EXPECT_TRUE(said == "ok: " || said.starts_with("skipped: ")) << plugin << " " << check << ": " << said;
    EXPECT_EQ(found.at("lifetimes"), "ok: ");
  }
}

TEST(Conformance, NamesTheRuleThatIsBroken) {
  EXPECT_EQ(verdicts(hostile_plugin("newer_major"))["versions"].substr(0, 8), "failed: ");
  EXPECT_EQ(verdicts(hostile_plugin("no_note"))["note"].substr(0, 8), "failed: ");
  EXPECT_EQ(verdict("life", "destroy", "segv").substr(0, 8), "failed: ");
  EXPECT_EQ(verdict("life", "create", "hang", "0.2"), "failed: no end within 0.2 s");
  EXPECT_EQ(verdict("destroy without create", "score", "segv"), "ok: ")
      << "each check is in a process of its own";
  EXPECT_EQ(verdict("lifetimes", "score", "change_input"),
            "failed: it wrote into its input, or read what an earlier call was given");
  EXPECT_EQ(verdict("lifetimes", "score", "leave_unwritten"), "failed: it left a score unwritten");
  EXPECT_EQ(verdict("huge batch", "score", "nan"), "failed: a score is not finite");
  EXPECT_EQ(verdict("determinism", "score", "keep_input"),
            "failed: it wrote into its input, or read what an earlier call was given");
  EXPECT_EQ(verdict("determinism", "score", "count"),
            "failed: record 2 gets another answer alone than in a batch");
  EXPECT_EQ(verdict("threads", "score", "answer_late"), "failed: sink->valid() was called on another thread");
}

TEST(Conformance, AReaderIsGivenItsFile) {
  const fs::path csv = fs::path(RFT_SHIPPED_PLUGINS_DIR) / "csv.so";
  EXPECT_NE(verdicts(csv)["lifetimes"].find("skipped: it reads files of a form of its own"),
            std::string::npos);
  const auto found = verdicts(csv, "{}", "input,output\na,b\nc,d\n");
  for (const char* check : {"note", "life", "lifetimes", "threads", "determinism"})
    EXPECT_EQ(found.at(check), "ok: ") << check;
  EXPECT_EQ(found.at("huge batch"), "skipped: a reader is given no records");
  EXPECT_NE(verdicts(csv, "{}", "input,output\na\n")["lifetimes"].find("failed: it fails: data.jsonl:2: "),
            std::string::npos);
}

TEST(Conformance, RunsInTheSandboxOfAJob) {
  if (!available_isolation().namespaces) GTEST_SKIP() << available_isolation().missing;
  for (const auto& [deed, denied] : std::map<std::string, std::string>{
           {"socket", "socket: Operation not permitted"}, {"fork", "fork: Operation not permitted"}})
    EXPECT_NE(verdict("lifetimes", "score", deed).find(denied), std::string::npos) << deed;
}

TEST(Conformance, ScriptsAreCheckedByTheirOwnRules) {
  const TemporaryFolder folder;
  const auto checked = [&](const std::string& name, const std::string& text) {
    return verdicts(folder.write(name, text, true));
  };
  auto found = checked("good.py", "def grade(sample, item): return len(sample['output_text'])\n");
  EXPECT_EQ(found.size(), 5u);
  for (const auto& [check, said] : found) EXPECT_EQ(said, "ok: ") << check;
  found = checked("bad.py",
                  "n = 0\n"
                  "def score(episodes):\n"
                  "  global n\n"
                  "  n += 1\n"
                  "  return [n * len(episodes) * len(e['completion'].encode('ascii')) for e in episodes]\n");
  EXPECT_EQ(found["loads"], "ok: ");
  EXPECT_NE(found["unicode"].find("UnicodeEncodeError"), std::string::npos) << found["unicode"];
  EXPECT_NE(found["determinism"].find("another score alone"), std::string::npos) << found["determinism"];
  EXPECT_NE(checked("picky.py", "def grade(sample, item): return item['mine']\n")["scores"].find(
                "skipped: it refuses made-up records (scorer picky.py: KeyError"),
            std::string::npos);
  found = checked("adapter.py", "def adapt(record): return {'prompt': record['input']}\n");
  const std::map<std::string, std::string> good = {{"converts", "ok: "}, {"determinism", "ok: "}};
  EXPECT_EQ(found, good);
  const std::string reader = "def read(path): return [{'prompt': open(path).read()}]\n";
  EXPECT_EQ(verdicts(folder.write("reader.py", reader, true), "{}", "no JSON"), good);
  EXPECT_EQ(checked("reader.py", reader)["converts"],
            "skipped: it reads files of a form of its own: give one with --data");
}

TEST(Conformance, RefusedDataIsToBeReplacedByTheAuthors) {
  const fs::path plugin = fs::path(RFT_SHIPPED_PLUGINS_DIR) / "exact_match.so";
  const std::string options = R"({"target": "answer"})";
  EXPECT_NE(verdicts(plugin, options)["lifetimes"].find("skipped: it refuses made-up records"),
            std::string::npos);
  EXPECT_EQ(verdicts(plugin, options, "{\"answer\": \"a\"}\n")["lifetimes"], "ok: ");
}

}  // namespace
}  // namespace rft::plugins
