#include "plugins/scorer_host.h"

#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <functional>

#include "plugins/isolation.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void score_once(const ScorerOptions& options) { require_scores(options, requests_of({"one", "three"})); }

TEST(ScorerHost, HandsOverTheWholeEpisodeAndAnswersTheWholeResult) {
  const TemporaryFolder folder;
  ScorerHost scorer(options_for(hostile_plugin("hostile"), folder));
  EXPECT_EQ(scorer.name(), "hostile");
  EXPECT_EQ(scorer.version(), "6.6.6");
  auto requests = requests_of({"one", "three"});
  requests[1].finish_reason = "length";
  const auto results = scorer.score(requests);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].score, 3.0);
  EXPECT_EQ(results[1].score, 5.0);
  EXPECT_TRUE(results[0].valid);
  EXPECT_FALSE(results[1].valid);
  EXPECT_EQ(results[1].reason, R"(p|{"output":"b"}|length)");
  const std::vector<std::pair<std::string, double>> parts = {{"tokens", 3004}, {"seconds", 0.5}};
  EXPECT_EQ(results[0].sub_scores, parts);

  const auto numbers = scorer.summarize(requests, results);
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->at("count"), 2);
  EXPECT_EQ(numbers->at("sum"), 8);
  EXPECT_TRUE(scorer.score({}).empty());
}

TEST(ScorerHost, AScorerWithoutSummaryAnswersNone) {
  const TemporaryFolder folder;
  ScorerHost scorer(options_for(hostile_plugin("plain"), folder));
  const auto requests = requests_of({"a"});
  EXPECT_FALSE(scorer.summarize(requests, scorer.score(requests)).has_value());
}

// One row per way to end a process: the kind, and the words that name the culprit and its moment.
TEST(ScorerHost, NamesEveryCrash) {
  struct Crash {
    const char* deed;
    const char* words;
  };
  for (const auto& [deed, words] :
       {Crash{"segv", "was killed by signal 11"}, Crash{"null", "was killed by signal 11"},
        Crash{"abort", "was killed by signal 6"}, Crash{"exit", "exited with code 3"},
        Crash{"exit_0", "exited with code 0"}}) {
    const TemporaryFolder folder;
    expect_plugin_error(PluginFailure::crashed, {"scorer hostile.so", words, "it was being loaded"},
                        [&] { score_once(hostile_options(folder, "create", deed)); });
    expect_plugin_error(PluginFailure::crashed, {"scorer hostile.so", words, "scoring a batch of 2 episodes"},
                        [&] { score_once(hostile_options(folder, "score", deed)); });
    expect_nothing_left(folder);
  }
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::crashed, {"crash_in_constructor", "signal 11", "it was being loaded"},
                      [&] { score_once(options_for(hostile_plugin("crash_in_constructor"), folder)); });
}

TEST(ScorerHost, ACrashInDestroyIsNoError) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(score_once(hostile_options(folder, "destroy", "segv")));
  EXPECT_NO_THROW(score_once(hostile_options(folder, "destroy", "throw")));
  expect_nothing_left(folder);
}

TEST(ScorerHost, StartsAgainAfterACrash) {
  const TemporaryFolder folder;
  ScorerHost scorer(hostile_options(folder, "score", "segv"));
  const auto requests = requests_of({"a"});
  for (int i = 0; i < 3; ++i)
    expect_plugin_error(PluginFailure::crashed, {"signal 11"}, [&] { scorer.score(requests); });
  EXPECT_EQ(scorer.summarize(requests, {{ScoreResult{.score = 2.0}}})->at("sum"), 2);
}

TEST(ScorerHost, KillsAHangAtItsDeadline) {
  for (const char* deed : {"hang", "spin"}) {
    const TemporaryFolder folder;
    ScorerOptions options = hostile_options(folder, "score", deed);
    options.timeout_s = 0.3;
    ScorerHost scorer(options);
    const double seconds = seconds_of([&] {
      expect_plugin_error(PluginFailure::timed_out,
                          {"scorer hostile.so", "no answer within 0.3 s", "scoring a batch of 1"},
                          [&] { scorer.score(requests_of({"a"})); });
    });
    EXPECT_GE(seconds, 0.3);
    EXPECT_LT(seconds, 1.3);
    expect_nothing_left(folder);
  }
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "create", "hang");
  options.start_timeout_s = 0.3;
  expect_plugin_error(PluginFailure::timed_out, {"it was being loaded"}, [&] { score_once(options); });
}

TEST(ScorerHost, AHangInDestroyEndsWithinASecond) {
  const TemporaryFolder folder;
  EXPECT_LT(seconds_of([&] { score_once(hostile_options(folder, "destroy", "hang")); }), 2.0);
  expect_nothing_left(folder);
}

TEST(ScorerHost, AnExceptionIsAnErrorWithItsText) {
  const TemporaryFolder folder;
  for (const char* when : {"create", "score"}) {
    expect_plugin_error(PluginFailure::threw, {"scorer hostile.so", "the deed was to throw"},
                        [&] { score_once(hostile_options(folder, when, "throw")); });
    expect_plugin_error(PluginFailure::threw, {"no std::exception"},
                        [&] { score_once(hostile_options(folder, when, "throw_int")); });
  }
  ScorerHost scorer(hostile_options(folder, "summarize", "throw"));
  const auto requests = requests_of({"a"});
  const auto results = scorer.score(requests);
  expect_plugin_error(PluginFailure::threw, {"the deed was to throw", "summarising 1 episodes"},
                      [&] { scorer.summarize(requests, results); });
  EXPECT_EQ(scorer.score(requests)[0].score, 1.0);  // the same process goes on
  expect_plugin_error(PluginFailure::threw, {"without saying why"},
                      [&] { score_once(options_for(hostile_plugin("fail_silently"), folder)); });
}

TEST(ScorerHost, NoBadScoreIsANumber) {
  const TemporaryFolder folder;
  const auto expect = [&](const char* deed, PluginFailure kind, const char* words) {
    expect_plugin_error(kind, {"scorer hostile.so", words},
                        [&] { score_once(hostile_options(folder, "score", deed)); });
  };
  expect("nan", PluginFailure::not_finite,
         "its score is NaN; the completion was \"three\", its record is {\"output\":\"b\"}");
  expect("infinity", PluginFailure::not_finite, "its score is infinite");
  expect("nan_sub_score", PluginFailure::not_finite, "its sub-score \"part\" is NaN");
  expect("leave_unwritten", PluginFailure::unwritten,
         "it left the score unwritten; the completion was \"one\"");
  expect("change_input", PluginFailure::changed_input, "it wrote into its input");

  ScorerHost scorer(hostile_options(folder, "summarize", "nan"));
  const auto requests = requests_of({"a"});
  const auto results = scorer.score(requests);
  expect_plugin_error(PluginFailure::not_finite, {"its number \"ratio\" is NaN"},
                      [&] { scorer.summarize(requests, results); });
}

TEST(ScorerHost, AFailedEpisodeLeavesTheOthersTheirScores) {
  const TemporaryFolder folder;
  for (const char* deed : {"nan", "fail_one"}) {
    const auto results =
        ScorerHost(hostile_options(folder, "score", deed)).score(requests_of({"one", "three"}));
    EXPECT_EQ(results[0].score, 3.0);
    EXPECT_FALSE(results[1].score.has_value());
    EXPECT_NE(results[1].error, "");
  }
}

TEST(ScorerHost, AnEpisodeThatTheScorerGivesUpHasAReasonAndNoScore) {
  const TemporaryFolder folder;
  ScorerHost scorer(hostile_options(folder, "score", "fail_one"));
  const auto requests = requests_of({"one", "three"});
  const auto results = scorer.score(requests);
  EXPECT_FALSE(results[1].score.has_value());
  EXPECT_EQ(results[1].error, "this one cannot be judged");
  EXPECT_TRUE(results[1].sub_scores.empty());
  EXPECT_EQ(scorer.summarize(requests, results)->at("failed"), 1);
}

TEST(ScorerHost, RefusesWhatIsNoPluginBeforeItsCodeRuns) {
  struct Refusal {
    const char* name;
    PluginFailure kind;
    const char* words;
  };
  for (const auto& [name, kind, words] :
       {Refusal{"newer_major", PluginFailure::wrong_abi, "built for plugin ABI 2.0"},
        Refusal{"newer_minor", PluginFailure::wrong_abi, "built for plugin ABI 1.9"},
        Refusal{"older_major", PluginFailure::wrong_abi, "built for plugin ABI 0.0"},
        Refusal{"no_note", PluginFailure::not_loadable, "no .note.rft section"},
        Refusal{"two_notes", PluginFailure::not_loadable, "more than one note"},
        Refusal{"bad_note_type", PluginFailure::not_loadable, "holds something else"},
        Refusal{"bad_note_owner", PluginFailure::not_loadable, "holds something else"},
        Refusal{"bad_note_size", PluginFailure::not_loadable, "holds something else"},
        Refusal{"bad_name", PluginFailure::not_loadable, "No_Name"},
        Refusal{"bad_magic", PluginFailure::not_loadable, "holds something else"},
        Refusal{"other_kind", PluginFailure::not_loadable, "it is a dataset-adapter, and a scorer is wanted"},
        Refusal{"missing_symbol", PluginFailure::not_loadable, "a_function_that_nobody_defines"}}) {
    const TemporaryFolder folder;
    expect_plugin_error(kind, {name, words}, [&] { score_once(options_for(hostile_plugin(name), folder)); });
    EXPECT_EQ(read_file(folder.path() / "stderr.txt"), "") << name << ": its static constructor ran";
  }
  // The same source with nothing wrong does say so: the check above can fail.
  const TemporaryFolder folder;
  score_once(options_for(hostile_plugin("plain"), folder));
  EXPECT_EQ(read_file(folder.path() / "stderr.txt"), "CONSTRUCTOR RAN\n");
}

TEST(ScorerHost, RefusesAPluginWhoseEntryIsWrong) {
  const TemporaryFolder folder;
  const auto refused = [&](const char* name, PluginFailure kind, const char* words) {
    expect_plugin_error(kind, {name, words}, [&] { score_once(options_for(hostile_plugin(name), folder)); });
  };
  refused("no_entry", PluginFailure::not_loadable, "rft_plugin_entry");
  refused("no_capability", PluginFailure::not_loadable, "no rft.scorer/1");
  refused("short_entry", PluginFailure::not_loadable, "its entry lacks a function");
  refused("no_create", PluginFailure::not_loadable, "its entry lacks a function");
  refused("entry_disagrees", PluginFailure::wrong_abi, "different ABIs");
  refused("out_of_range", PluginFailure::protocol, "it answered for episode 2 of a batch of 2");
  refused("absent", PluginFailure::not_loadable, "cannot be opened");
}

TEST(ScorerHost, ABrokenConnectionIsAProtocolError) {
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::protocol, {"broken frame"},
                      [&] { score_once(hostile_options(folder, "score", "garbage")); });
  expect_plugin_error(PluginFailure::protocol, {"closed the connection"},
                      [&] { score_once(hostile_options(folder, "score", "close_connection")); });
  expect_nothing_left(folder);
}

TEST(ScorerHost, AScorerThatClosesEveryDescriptorIsNamed) {
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::crashed, {"scorer hostile.so", "scoring a batch of 2 episodes"},
                      [&] { score_once(hostile_options(folder, "score", "close_all")); });
  expect_nothing_left(folder);
}

TEST(ScorerHost, WritesPastTheScoresAreNoticed) {
  const TemporaryFolder folder;
  for (const char* name : {"write_past", "write_before"})
    expect_plugin_error(PluginFailure::changed_input, {name, "it wrote past the scores of its batch"},
                        [&] { score_once(options_for(hostile_plugin(name), folder)); });
}

TEST(ScorerHost, ASlowScorerWithinItsDeadlineIsFine) {
  const TemporaryFolder folder;
  EXPECT_GE(seconds_of([&] { score_once(hostile_options(folder, "score", "slow")); }), 0.2);
}

TEST(ScorerHost, ALeakEndsAtTheLimitOfItsMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer's shadow is larger than any limit";
#endif
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "score", "leak");
  options.memory_limit_bytes = uint64_t{256} << 20;
  ScorerHost scorer(options);
  expect_plugin_error(PluginFailure::crashed, {"signal 11"}, [&] {
    for (int batch = 0; batch < 8; ++batch) scorer.score(requests_of({"a"}));
  });
  expect_nothing_left(folder);
}

// In one process that loads both, the first one's unique symbol would answer for the second.
TEST(ScorerHost, AReplacedPluginLeavesNothingOfTheOldCode) {
  const TemporaryFolder folder;
  const fs::path plugin = folder.path() / "sticky.so";
  for (const char* version : {"sticky_1", "sticky_2"}) {
    fs::copy(hostile_plugin(version), folder.path() / "new");
    fs::rename(folder.path() / "new", plugin);
    ScorerHost scorer(options_for(plugin, folder));
    EXPECT_EQ(scorer.score(requests_of({"a"}))[0].score, version[7] - '0');
  }
  expect_nothing_left(folder);
}

// Bounded by itself, for the sake of the machine that tests it.
TEST(ScorerHost, AForkBombEndsAtItsDeadlineWithAllThatItStarted) {
  const TemporaryFolder folder;
  ScorerOptions options = options_for(folder.write("bomb.py",
                                                   "import os, time\n"
                                                   "def score(episodes):\n"
                                                   "    for i in range(8): os.fork()\n"
                                                   "    time.sleep(1000)\n"),
                                      folder);
  options.kind = "python";
  options.timeout_s = 0.7;
  EXPECT_LT(seconds_of([&] {
              expect_plugin_error(PluginFailure::timed_out, {"bomb.py", "within 0.7 s"},
                                  [&] { score_once(options); });
            }),
            options.timeout_s + 2);
  expect_nothing_left(folder);
}

TEST(ScorerHost, DeniesWhatAScorerHasNoBusinessWith) {
  if (!available_isolation().system_call_filter) GTEST_SKIP() << available_isolation().missing;
  const TemporaryFolder folder;
  for (const char* deed : {"fork", "socket", "kill_parent", "exec"})
    expect_plugin_error(PluginFailure::threw, {"Operation not permitted"},
                        [&] { score_once(hostile_options(folder, "score", deed)); });
  EXPECT_NO_THROW(score_once(hostile_options(folder, "score", "thread")));
}

TEST(ScorerHost, WritesNothing) {
  if (!available_isolation().namespaces) GTEST_SKIP() << available_isolation().missing;
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "score", "write_file");
  options.options["path"] = (folder.path() / "written").string();
  expect_plugin_error(PluginFailure::threw, {"Read-only file system"}, [&] { score_once(options); });
  EXPECT_FALSE(fs::exists(folder.path() / "written"));
  options.trusted = true;
  score_once(options);
  EXPECT_TRUE(fs::exists(folder.path() / "written"));
}

TEST(ScorerHost, DoesNotSeeTheParentsEnvironment) {
  const TemporaryFolder folder;
  ::setenv("RFT_TEST_SECRET", "secret", 1);
  EXPECT_NO_THROW(score_once(hostile_options(folder, "score", "environment")));
  ::unsetenv("RFT_TEST_SECRET");
}

TEST(ScorerHost, KeepsToItsMemoryLimit) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer's shadow is larger than any limit";
#endif
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "score", "allocate_cpp");
  options.memory_limit_bytes = uint64_t{256} << 20;
  const std::string limit = "; a plugin's memory is limited to 0.25 GiB";
  options.failed_input = folder.path() / "failed-input.jsonl";
  expect_plugin_error(PluginFailure::out_of_memory, {"bad_alloc" + limit}, [&] { score_once(options); });
  EXPECT_FALSE(read_file(options.failed_input).empty());
  options.options["do"] = "allocate";
  expect_plugin_error(PluginFailure::crashed, {"signal 11"}, [&] { score_once(options); });
  options = options_for(
      folder.write("scorer.py", "def grade(sample, item):\n    return len(bytearray(1 << 30))\n"), folder);
  options.kind = "python";
  options.memory_limit_bytes = uint64_t{256} << 20;
  options.failed_input = folder.path() / "failed-input-2.jsonl";
  expect_plugin_error(PluginFailure::out_of_memory, {"MemoryError (scorer.py:2)" + limit},
                      [&] { score_once(options); });
  EXPECT_FALSE(read_file(options.failed_input).empty());
}

TEST(ScorerHost, ATrustedScorerThatForksLeavesNothingBehind) {
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "score", "fork");
  options.trusted = true;
  options.timeout_s = 0.3;
  expect_plugin_error(PluginFailure::timed_out, {}, [&] { score_once(options); });
  expect_nothing_left(folder);
}

TEST(ScorerHost, PrintsGoToTheLogAndIntoTheErrorOfACrash) {
  const TemporaryFolder folder;
  score_once(hostile_options(folder, "score", "print"));
  EXPECT_EQ(read_file(folder.path() / "stderr.txt"), "a line on stdout\n");
  const fs::path talker = folder.write("talker", "#!/bin/sh\necho before the end >&2\nexit 4\n", true);
  ScorerOptions options = options_for(talker, folder);
  options.kind = "command";
  expect_plugin_error(PluginFailure::crashed, {"exited with code 4", "its last words:\nbefore the end"},
                      [&] { score_once(options); });
}

TEST(ScorerHost, PrintsBeyondTheLogsLimitAreDroppedButForTheLastWords) {
  const TemporaryFolder folder;
  const fs::path talker = folder.write("talker",
                                       "#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x >&2\n"
                                       "read -r line; echo 1\necho before the end >&2\nexit 4\n",
                                       true);
  ScorerOptions options = options_for(talker, folder);
  options.kind = "command";
  const fs::path log = folder.path() / "stderr.txt";
  uintmax_t size = 0;
  for (int i = 0; i < 2; ++i) {
    expect_plugin_error(PluginFailure::crashed, {"code 4 after 1 lines", "xxxbefore the end"},
                        [&] { score_once(options); });
    if (i == 0) size = fs::file_size(log);
  }
  EXPECT_EQ(fs::file_size(log), size) << "a later process of the job has no further room";
  EXPECT_LT(size, (16u << 20) + 100);
  const std::string text = read_file(log);
  EXPECT_EQ(text.substr(text.find('\n')), "\n[cut here: 16 MiB of what a plugin prints are kept]\n");
}

TEST(ScorerHost, TakesLargeBatches) {
  const TemporaryFolder folder;
  ScorerHost scorer(options_for(hostile_plugin("hostile"), folder));
  auto requests = requests_of({});
  for (int i = 0; i < 2000; ++i)
    requests.push_back({.completion = std::string(4000, 'x'), .record_json = "{}"});
  const auto results = scorer.score(requests);
  ASSERT_EQ(results.size(), 2000u);
  EXPECT_EQ(results.back().score, 4000.0);
}

TEST(ScorerHost, DiesWithItsParent) {
  const TemporaryFolder folder;
  const pid_t parent = ::fork();
  if (parent == 0) {
    ScorerHost scorer(options_for(hostile_plugin("hostile"), folder));
    folder.write("ready", "");
    ::kill(::getpid(), SIGKILL);
  }
  int status;
  ::waitpid(parent, &status, 0);
  ASSERT_TRUE(fs::exists(folder.path() / "ready"));
  expect_nothing_left(folder);
}

}  // namespace
}  // namespace rft::plugins
