// Scorers that come, change and go while the daemon runs, and scorers that take their process down.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"
#include "integration/small_job.h"
#include "support/virtual_environment.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

// A scorer that says in every reason which version of it scored.
std::string scorer_of_version(const std::string& version) {
  return "def grade(sample, item):\n"
         "    right = sample['output_text'] == item['output']\n"
         "    return {'score': float(right), 'reason': '" +
         version + "'}\n";
}

std::vector<std::string> reasons_in(const fs::path& rollouts) {
  std::vector<std::string> reasons;
  for_each_json_line(rollouts, [&](Json&& row, size_t) { reasons.push_back(row.at("reason")); });
  return reasons;
}

class Plugins : public ::testing::Test {
 protected:
  Plugins() { home_.start(); }

  // Puts a file into HOME/plugins and answers its digest once it is taken.
  std::string put(const std::string& name, const std::string& text, const std::string& before = "") {
    write_file_atomically(home_.root() / "plugins" / name, text);
    return home_
        .await_plugin(name,
                      [&](const Json& row) { return row["state"] == "ready" && row["digest"] != before; })
        .at("digest");
  }
  int64_t submit(const std::string& name, const SmallJob& job) {
    return home_.rftctl({"submit", write_small_job(home_.staging(name), job)}).json.at("id");
  }
  int64_t drop(const std::string& name, const SmallJob& job) {
    return home_.drop(write_small_job(home_.staging(name), job));
  }

  // That of the next iteration that ends.
  int64_t iteration_of(int64_t job) const {
    const Json event = home_.await_event(
        job, "metrics", [](const Json& found) { return found.at("values").contains("rollout/score_mean"); });
    return event.at("iteration");
  }

  DaemonHome home_;
};

TEST_F(Plugins, RunningJobKeepsItsBytesAndTheNextTakesTheNewOnes) {
  const std::string old_digest = put("grader.py", scorer_of_version("old"));
  const int64_t first = drop("first", {.scorer = "grader", .epochs = 4});
  home_.await_iteration(first);
  const std::string new_digest = put("grader.py", scorer_of_version("new"), old_digest);
  // Also with a new worker and a new host, as after any crash.
  for (const pid_t worker : home_.worker_pids()) ::kill(worker, SIGKILL);
  const int64_t second = drop("second", {.scorer = "grader"});

  EXPECT_EQ(home_.wait(first)["state"], "succeeded");
  EXPECT_EQ(home_.wait(second)["state"], "succeeded");
  EXPECT_THAT(reasons_in(home_.job_folder(first) / "rollouts.jsonl"), ::testing::Each("old"));
  EXPECT_THAT(reasons_in(home_.job_folder(second) / "rollouts.jsonl"), ::testing::Each("new"));
  EXPECT_THAT(read_file(home_.job_folder(first) / "plan.toml"), HasSubstr(old_digest));
  EXPECT_THAT(read_file(home_.job_folder(second) / "plan.toml"), HasSubstr(new_digest));
}

// Written in place, as cp does it, and named at once.
TEST_F(Plugins, JobThatFollowsAChangedFileGetsItsNewBytes) {
  put("grader.py", scorer_of_version("old"));
  write_text(home_.root() / "plugins/grader.py", scorer_of_version("new"));
  const int64_t changed = submit("changed", {.scorer = "grader"});
  write_text(home_.root() / "plugins/other.py", scorer_of_version("first"));
  const int64_t added = submit("added", {.scorer = "other"});

  EXPECT_EQ(home_.wait(changed)["state"], "succeeded");
  EXPECT_EQ(home_.wait(added)["state"], "succeeded");
  EXPECT_THAT(reasons_in(home_.job_folder(changed) / "rollouts.jsonl"), ::testing::Each("new"));
  EXPECT_THAT(reasons_in(home_.job_folder(added) / "rollouts.jsonl"), ::testing::Each("first"));
}

TEST_F(Plugins, RemovedPluginIsGoneForTheNextJobOnly) {
  put("grader.py", scorer_of_version("old"));
  const int64_t first = drop("first", {.scorer = "grader"});
  home_.await_event(first, "progress");
  fs::remove(home_.root() / "plugins/grader.py");
  home_.find_after_events("the list without it", [&]() -> std::optional<bool> {
    for (const Json& row : home_.rftctl({"plugins", "ls"}).json)
      if (row.at("name") == "grader") return std::nullopt;
    return true;
  });
  const Json second = home_.wait(drop("second", {.scorer = "grader"}));
  EXPECT_EQ(second["state"], "rejected");
  EXPECT_THAT(second["reason"].get<std::string>(), HasSubstr("there is no scorer \"grader\""));
  EXPECT_EQ(home_.wait(first)["state"], "succeeded");
}

TEST_F(Plugins, UnfitFileIsListedWithTheReason) {
  fs::copy(fs::path(RFT_HOSTILE_DIR) / "newer_major.so", home_.root() / "plugins/newer_major.so");
  const Json row =
      home_.await_plugin("newer_major.so", [](const Json& found) { return found["state"] == "refused"; });
  EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr("ABI"));
}

TEST_F(Plugins, ShippedScorerTrainsAJob) {
  EXPECT_EQ(home_.wait(drop("words", {.scorer = "exact_match"}))["state"], "succeeded");
}

TEST_F(Plugins, WhatCrashedIsInQuarantineUntilItIsReleased) {
  const std::string text = "import os\ndef score(episodes):\n    os._exit(3)\n";
  const std::string digest = put("grader.py", text);
  const Json failed = home_.wait(drop("first", {.scorer = "grader"}));
  EXPECT_EQ(failed["failure"], "crashed") << failed.dump();
  home_.kill();
  home_.start();

  const Json refused = home_.wait(drop("second", {.scorer = "grader"}));
  EXPECT_EQ(refused["state"], "rejected");
  EXPECT_THAT(refused["reason"].get<std::string>(), HasSubstr("it is in quarantine since"));
  EXPECT_THAT(refused["reason"].get<std::string>(),
              HasSubstr("rftctl plugins release " + digest.substr(0, 12)));
  EXPECT_EQ(home_.rftctl({"plugins", "ls"}).json.dump().find("\"quarantined\"") == std::string::npos, false);

  const Json report = home_.rftctl({"plugins", "why", "grader"}).json.at(0);
  EXPECT_EQ(report["job"], failed["id"]);
  EXPECT_FALSE(read_file(report["input"].get<std::string>()).empty());
  const auto again = cli::run_program("/bin/sh", {"-c", report["command"].get<std::string>()});
  EXPECT_THAT(again.output, HasSubstr("exited with code 3 after 0 lines"));

  // One that was admitted before is not started with it either.
  const int64_t first = failed["id"];
  home_.rftctl({"retry", std::to_string(first)});
  const Json again_refused = home_.wait(first);
  EXPECT_EQ(again_refused["attempt"], failed["attempt"]);
  EXPECT_THAT(again_refused["reason"].get<std::string>(),
              HasSubstr("scorer grader: it is in quarantine since"));

  EXPECT_THAT(cli::run_program(std::string(RFT_BIN_DIR) + "/rftctl",
                               {"__complete", "--home", home_.root().string(), "plugins", "release", "g"})
                  .output,
              ::testing::StartsWith("grader"));
  EXPECT_EQ(home_.rftctl({"plugins", "release", "grader"}).exit_code, cli::kOk);
  EXPECT_EQ(home_.rftctl({"plugins", "release", "grader"}).exit_code, cli::kNotFound) << "it is out already";
  EXPECT_EQ(home_.wait(drop("third", {.scorer = "grader"}))["failure"], "crashed");
}

TEST_F(Plugins, OfAMultiOnlyTheSubScorerThatCrashedIsInQuarantine) {
  put("grader.py", "import os\ndef score(episodes):\n    os._exit(3)\n");
  const SmallJob multi = {.scorer = "multi",
                          .scorer_options =
                              "{ graders = { answer = { plugin = \"exact_match\" }, crash = { plugin = "
                              "\"grader\" } }, calculate_output = \"answer + crash\" }"};
  const Json failed = home_.wait(drop("first", multi));
  EXPECT_EQ(failed["failure"], "crashed") << failed.dump();
  EXPECT_THAT(failed["reason"].get<std::string>(), HasSubstr("sub-scorer crash: scorer grader"));
  for (const Json& row : home_.rftctl({"plugins", "ls"}).json)
    EXPECT_EQ(row["state"] == "quarantined", row["name"] == "grader") << row.dump();
  const Json refused = home_.wait(drop("second", multi));
  EXPECT_EQ(refused["state"], "rejected");
  EXPECT_THAT(refused["reason"].get<std::string>(),
              HasSubstr("options.graders.crash.plugin = \"grader\": it is in quarantine"));
}

// What a scorer says when it is made rejects its job, in its own words; what takes its process down then is
// in quarantine as ever.
TEST_F(Plugins, AScorerThatRefusesItsOptionsRejectsItsJob) {
  const auto rejection = [&](const std::string& name, const SmallJob& job) {
    const Json refused = home_.wait(drop(name, job));
    EXPECT_EQ(refused["state"], "rejected") << refused.dump();
    return read_file(home_.root() / "rejected" / name / "REASON.txt");
  };
  EXPECT_THAT(rejection("shipped", {.scorer = "exact_match", .scorer_options = "{ strp = true }"}),
              ::testing::AllOf(HasSubstr("job.toml:"), HasSubstr("[scorer] options: scorer exact_match"),
                               HasSubstr("\"strp\"")));
  EXPECT_THAT(rejection("type", {.scorer = "exact_match", .scorer_options = "{ strip = 1 }"}),
              HasSubstr("\"strip\""));
  EXPECT_THAT(
      rejection("part", {.scorer = "multi",
                         .scorer_options = "{ graders = { right = { plugin = \"numeric\", options = { "
                                           "tolerence = 1 } } }, calculate_output = \"right\" }"}),
      ::testing::AllOf(HasSubstr("options.graders.right.plugin = \"numeric\": "),
                       HasSubstr("\"tolerence\"")));
  EXPECT_THAT(
      rejection("python", {.scorer_text = "def configure(given):\n    raise ValueError('no such rule')\n"
                                          "def score(episodes):\n    return []\n"}),
      HasSubstr("[scorer] options: scorer scorer.py: ValueError: no such rule (scorer.py:2)"));
  EXPECT_THAT(rejection("syntax", {.scorer_text = "def score(episodes:\n"}),
              ::testing::AllOf(HasSubstr("[scorer] plugin = \"scorer.py\": "), HasSubstr("SyntaxError")));

  const SmallJob crash = {.scorer_text = "import os\nos._exit(3)\n", .scorer_options = "{}"};
  EXPECT_THAT(rejection("crash", crash), HasSubstr("exited with code 3"));
  EXPECT_THAT(rejection("again", crash), HasSubstr("it is in quarantine"));
}

TEST(Python, IsTheDaemonsOwnersChoiceAndAJobAsksForOneOfThem) {
  if (!plugins::available_isolation().namespaces) GTEST_SKIP() << plugins::available_isolation().missing;
  const TempDir folder;
  const std::string python = make_virtual_environment(folder / "venv");
  DaemonHome home("[plugins]\npython = [\"" + python + "\", \"/usr/bin/python3\"]\n");
  home.start();
  const SmallJob job = {
      .scorer_text = "import only_here\ndef grade(sample, item):\n    return only_here.ANSWER\n",
      .epochs = 1};
  const auto drop = [&](const std::string& name, const std::string& asked) {
    const fs::path made = write_small_job(home.staging(name), job);
    std::string toml = read_file(made / "job.toml");
    if (!asked.empty()) toml.insert(toml.find("[warmup]"), "python = \"" + asked + "\"\n");
    write_text(made / "job.toml", toml);
    return home.wait(home.drop(made));
  };
  EXPECT_EQ(drop("first", "")["state"], "succeeded");
  EXPECT_THAT(drop("second", "/usr/bin/python3")["reason"].get<std::string>(),
              HasSubstr("No module named 'only_here'"));
  const Json refused = drop("third", "/opt/python");
  EXPECT_EQ(refused["state"], "rejected");
  EXPECT_THAT(refused["reason"].get<std::string>(),
              ::testing::AllOf(HasSubstr("job.toml:"), HasSubstr("[scorer] python = \"/opt/python\""),
                               HasSubstr("names " + python + ", /usr/bin/python3")));
  std::vector<std::string> seen;
  for (const Json& row : home.rftctl({"doctor"}).json)
    if (row["name"] == "python") seen.push_back(row["verdict"]);
  EXPECT_THAT(seen, ::testing::ElementsAre("ok", "ok"));
}

// An exception is an answer, not a fault of the process.
TEST_F(Plugins, WhatThrewIsNotInQuarantine) {
  put("grader.py", "def score(episodes):\n    raise ValueError('no')\n");
  for (const char* name : {"first", "second"})
    EXPECT_EQ(home_.wait(drop(name, {.scorer = "grader"}))["failure"], "threw");
}

struct Deed {
  const char* name;
  SmallJob job;
  const char* failure;
  std::vector<std::string> error;  // parts of it
};
void PrintTo(const Deed& deed, std::ostream* out) { *out << deed.name; }

SmallJob python(const std::string& text) { return {.scorer_text = text}; }
SmallJob shared_object(const std::string& deed) {
  return {.scorer = "hostile", .scorer_options = "{ when = \"score\", do = \"" + deed + "\" }"};
}

class Hostile : public Plugins, public ::testing::WithParamInterface<Deed> {};

TEST_P(Hostile, ScorerFailsItsJobInItsOwnWordsAndNobodyElse) {
  fs::copy(fs::path(RFT_HOSTILE_DIR) / "hostile.so", home_.root() / "plugins/hostile.so");
  home_.await_plugin("hostile.so", [](const Json& row) { return row["state"] == "ready"; });
  const pid_t daemon = home_.rftd().pid();
  const int64_t hostile = drop("hostile-job", GetParam().job);
  const int64_t neighbour = drop("neighbour", {.epochs = 1000});
  const Json failed = home_.wait(hostile);
  EXPECT_EQ(failed["state"], "failed") << failed.dump();
  EXPECT_EQ(failed["code"], "plugin");
  EXPECT_EQ(failed["failure"], GetParam().failure);
  EXPECT_EQ(failed["attempt"], 1) << "the job's own mistake is not tried again";
  for (const std::string& part : GetParam().error)
    EXPECT_THAT(failed["reason"].get<std::string>(), HasSubstr(part));
  EXPECT_THAT(failed["reason"].get<std::string>(), ::testing::Not(HasSubstr(".store")));
  EXPECT_FALSE(home_.rftd().wait(0)) << "the daemon has ended";
  EXPECT_EQ(cli::Client(home_.root()).ask("ping", Json::object(), kPatience).at("pid"), daemon);
  // The neighbour's work goes on.
  const int64_t iteration = iteration_of(neighbour);
  EXPECT_GT(iteration_of(neighbour), iteration);
  EXPECT_FALSE(home_.plugin_host_pids().empty()) << "the neighbour's own";
  home_.rftctl({"cancel", std::to_string(neighbour)});
  EXPECT_EQ(home_.wait(neighbour)["state"], "cancelled");
  home_.find_after_events("the end of the plugins' processes", [&]() -> std::optional<bool> {
    return home_.plugin_host_pids().empty() ? std::optional(true) : std::nullopt;
  });
}

const Deed kDeeds[] = {
    {"CrashingPython",
     python("import os, signal\ndef score(episodes):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"),
     "crashed",
     {"scorer.py", "signal 11"}},
    {"ThrowingPython",
     python("def score(episodes):\n    raise ValueError('no such label')\n"),
     "threw",
     {"scorer scorer.py: ValueError: no such label (scorer.py:2)"}},
    {"CrashingSharedObject", shared_object("segv"), "crashed", {"hostile", "signal 11"}},
    {"AbortingSharedObject", shared_object("abort"), "crashed", {"hostile", "signal 6"}},
    {"ExitingSharedObject", shared_object("exit"), "crashed", {"hostile", "code 3"}},
    {"ThrowingSharedObject", shared_object("throw"), "threw", {"hostile", "the deed was to throw"}},
    {"NotANumber", shared_object("nan"), "not_finite", {"hostile", "NaN"}},
    {"UnwrittenScore", shared_object("leave_unwritten"), "unwritten", {"hostile", "unwritten"}},
};
INSTANTIATE_TEST_SUITE_P(By, Hostile, ::testing::ValuesIn(kDeeds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rft::integration
