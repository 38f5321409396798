// rftctl scorer test and plugins new, as a shell runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/exit_code.h"
#include "cli/program.h"
#include "cli/scorer_report.h"
#include "support/endpoint.h"
#include "support/temp_dir.h"
#include "support/virtual_environment.h"
#include "support/write_text.h"

namespace rft::cli {
namespace {

using ::testing::HasSubstr;

ProgramResult run_rftctl(const std::vector<std::string>& arguments) {
  return run_program(std::filesystem::path(RFT_BIN_DIR) / "rftctl", arguments);
}

constexpr char kData[] =
    "{\"input\": \"a?\", \"output\": \"yes\"}\n"
    "{\"input\": \"b?\", \"output\": \"no\"}\n"
    "{\"input\": \"c?\", \"output\": \"maybe\"}\n";

// Runs `scorer test` of this Python source over kData, with --json.
Json report_of(const std::string& source, std::vector<std::string> more = {}, int exit_code = kOk) {
  const TempDir folder;
  write_text(folder / "s.py", source);
  write_text(folder / "data.jsonl", kData);
  std::vector<std::string> arguments = {"scorer", "test",   (folder / "s.py").string(),
                                        "--json", "--data", (folder / "data.jsonl").string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_rftctl(arguments);
  EXPECT_EQ(result.exit_code, exit_code) << result.output << result.errors;
  return parse_json(result.output, "output");
}

TEST(ScorerTest, TellsDistributionReasonsAndSubScores) {
  const Json report = report_of(
      "def score(episodes):\n"
      "  return [{'score': len(e['completion']) / 10, 'reason': 'long' if len(e['completion']) > 2 else "
      "'short',\n"
      "           'sub_scores': {'n': len(e['prompt'])}} for e in episodes]\n");
  EXPECT_EQ(report["scored"], 3);
  EXPECT_NEAR(report["score"]["mean"].get<double>(), (0.3 + 0.2 + 0.5) / 3, 1e-9);
  EXPECT_EQ(report["score"]["max"], 0.5);
  EXPECT_EQ(report["reasons"][0]["reason"], "long");
  EXPECT_EQ(report["reasons"][0]["count"], 2);
  EXPECT_EQ(report["sub_scores"][0]["mean"], 3.0) << "the prompt is the adapter's";
  EXPECT_EQ(report["slowest"].size(), 3u);
  EXPECT_THAT(report["completions"].get<std::string>(), HasSubstr("own output, 3 of 3"));
  EXPECT_TRUE(report["warnings"].empty()) << report["warnings"];
}

TEST(ScorerTest, WarnsOfAConstantOutOfRangeAndDisagreement) {
  const auto constant = report_of("def grade(sample, item):\n  return 7\n")["warnings"];
  ASSERT_EQ(constant.size(), 2u);
  EXPECT_THAT(constant[0].get<std::string>(), HasSubstr("every score is 7"));
  EXPECT_THAT(constant[1].get<std::string>(), HasSubstr("3 of 3 scores lie outside 0.00 to 1.00"));
  EXPECT_EQ(report_of("def grade(sample, item):\n  return 7\n", {"--range", "0:10"})["warnings"].size(), 1u);
  const auto counting = report_of("n = 0\ndef grade(sample, item):\n  global n\n  n += 0.1\n  return n\n");
  EXPECT_THAT(counting["warnings"][0].get<std::string>(), HasSubstr("two calls disagree: 3 of 3 scores"));
}

TEST(ScorerTest, NamesEachErrorAndFails) {
  const Json report = report_of(
      "def score(episodes):\n  return [1 / (e['completion'] != 'no') for e in episodes]\n", {}, kFailed);
  ASSERT_EQ(report["errors"].size(), 1u);
  EXPECT_EQ(report["errors"][0]["episode"], 1);
  EXPECT_EQ(report["errors"][0]["failure"], "threw");
  EXPECT_THAT(report["errors"][0]["message"].get<std::string>(), HasSubstr("ZeroDivisionError"));
}

// Anything may be an executable, also what never answers.
TEST(ScorerTest, GivesAScorerUpThatDoesNotAnswer) {
  const TempDir folder;
  write_text(folder / "mute", "#!/bin/sh\nsleep 600\n");
  std::filesystem::permissions(folder / "mute", std::filesystem::perms::owner_all);
  write_text(folder / "data.jsonl", std::string(kData) + kData);
  std::vector<std::string> arguments = {
      "scorer",    "test", (folder / "mute").string(), "--data", (folder / "data.jsonl").string(),
      "--timeout", "0.2"};
  const ProgramResult told = run_rftctl(arguments);
  EXPECT_EQ(told.exit_code, kFailed);
  EXPECT_THAT(told.errors, HasSubstr("after 3 such calls in a row the rest is not tried"));
  EXPECT_THAT(
      told.output,
      HasSubstr("3 calls in a row had no answer within 0.2 s (--timeout): 3 episodes were not tried"));
  arguments.emplace_back("--json");
  const Json report = parse_json(run_rftctl(arguments).output, "output");
  EXPECT_EQ(report["episodes"], 3);
  EXPECT_EQ(report["untried"], 3);
  EXPECT_EQ(report["errors"][0]["failure"], "timed_out");
}

TEST(ScorerTest, GoesOnAfterOneBatchWithoutAnAnswer) {
  const Json report = report_of(
      "import time\n"
      "def score(episodes):\n"
      "  if len(episodes) > 1: time.sleep(60)\n"
      "  return [len(e['completion']) / 10 for e in episodes]\n",
      {"--timeout", "1"});
  EXPECT_EQ(report["scored"], 3);
  EXPECT_EQ(report["untried"], 0);
  EXPECT_THAT(report["warnings"].dump(), HasSubstr("then none"));
}

TEST(ScorerTest, GivenOutputsBelongToTheRecordThatTheyName) {
  const TempDir folder;
  write_text(
      folder / "outputs.jsonl",
      "{\"completion\": \"no\", \"index\": 1}\n{\"completion\": \"x\", \"record\": {\"output\": \"x\"}}\n");
  const std::string equal =
      "def grade(sample, item):\n  return float(sample['output_text'] == item['output'])\n";
  const Json report = report_of(equal, {"--outputs", (folder / "outputs.jsonl").string()});
  EXPECT_EQ(report["score"]["min"], 1.0);
  EXPECT_EQ(report["episodes"], 2);
  write_text(folder / "outputs.jsonl", "{\"completion\": \"no\", \"index\": 3}\n");
  EXPECT_THAT(dump_json(report_of(equal, {"--outputs", (folder / "outputs.jsonl").string()}, kUsage)),
              HasSubstr("outputs.jsonl:1: no record of the data has the index 3"));
}

TEST(ScorerTest, RunsUnderTheInterpreterThatIsAskedFor) {
  const TempDir folder;
  const std::string python = make_virtual_environment(folder / "venv");
  const char* const scorer = "import only_here\ndef grade(sample, item):\n  return only_here.ANSWER\n";
  EXPECT_EQ(report_of(scorer, {"--python", python, "--range", "0:100"})["score"]["mean"], 42);
  write_text(folder / "s.py", scorer);
  write_text(folder / "data.jsonl", kData);
  const auto errors_with = [&](const std::string& other) {
    return run_rftctl({"scorer", "test", (folder / "s.py").string(), "--data",
                       (folder / "data.jsonl").string(), "--python", other})
        .errors;
  };
  EXPECT_THAT(errors_with("/usr/bin/python3"), HasSubstr("No module named 'only_here'"));
  EXPECT_THAT(errors_with("/bin/true"), HasSubstr("/bin/true does not run as a Python 3 interpreter"));
}

TEST(ScorerTest, TakesAGrader) {
  const TempDir folder;
  write_text(folder / "data.jsonl", kData);
  const std::string file = folder / "grader.json";
  write_text(file,
             R"({"type": "multi", "name": "all", "calculate_output": "2 * right + half", "graders": {
               "right": {"type": "string_check", "name": "r", "operation": "eq",
                         "input": "{{sample.output_text}}", "reference": "{{item.output}}"},
               "half": {"type": "python", "name": "h", "source": "def grade(sample, item): return 0.5"}}})");
  const auto test = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"scorer", "test", "--json", "--data",
                                          (folder / "data.jsonl").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_rftctl(arguments);
  };
  const ProgramResult result = test({"--grader", file, "--range", "0:3"});
  EXPECT_EQ(result.exit_code, kOk) << result.errors;
  const Json report = parse_json(result.output, "output");
  EXPECT_EQ(report["score"]["mean"], 2.5);
  EXPECT_EQ(report["sub_scores"].size(), 2u);
  write_text(file, R"({"type": "python", "name": "h", "source": "def grade(sample, item): return 0.5"})");
  EXPECT_EQ(parse_json(test({"--grader", file}).output, "output")["score"]["mean"], 0.5);
  write_text(file,
             R"({"type": "string_check", "name": "r", "operation": "is", "input": "", "reference": ""})");
  EXPECT_THAT(test({"--grader", file}).errors, HasSubstr("\"operation\" is \"is\"; it can be eq"));
  EXPECT_THAT(test({}).errors, HasSubstr("SCORER or --grader"));
}

TEST(ScorerTest, TakesAGraderThatAsksAModel) {
  const TempDir folder;
  const Endpoint endpoint;
  write_text(folder / "data.jsonl", kData);
  write_text(folder / "grader.json",
             R"({"type": "score_model", "name": "m", "model": "fair",
                 "input": [{"role": "user", "content": "{{sample.output_text}}|{{item.output}}"}]})");
  const std::vector<std::string> arguments = {"scorer",
                                              "test",
                                              "--json",
                                              "--data",
                                              (folder / "data.jsonl").string(),
                                              "--grader",
                                              folder / "grader.json",
                                              "--network",
                                              "--options",
                                              R"({"url": ")" + endpoint.at("/v1") + R"("})"};
  const ProgramResult result = run_rftctl(arguments);
  EXPECT_EQ(result.exit_code, kOk) << result.output << result.errors;
  EXPECT_EQ(parse_json(result.output, "output")["score"]["mean"], 1.0);
}

TEST(PluginsNew, RefusesWhatCannotBe) {
  EXPECT_THAT(run_rftctl({"plugins", "new", "No Name"}).errors, HasSubstr("[a-z0-9][a-z0-9_-]*"));
}

}  // namespace
}  // namespace rft::cli
