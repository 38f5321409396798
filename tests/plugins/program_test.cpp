// Scorers that are programs: Python files and executables.
#include <fstream>

#include "plugins/isolation.h"
#include "plugins/scorer_host.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

ScorerOptions python_options(const TemporaryFolder& folder, const std::string& source) {
  ScorerOptions options = options_for(folder.write("scorer.py", source), folder);
  options.kind = "python";
  options.python = "/usr/bin/python3";
  return options;
}

ScorerOptions command_options(const TemporaryFolder& folder, const std::string& script) {
  ScorerOptions options = options_for(folder.write("run", "#!/bin/sh\n" + script, true), folder);
  options.kind = "command";
  return options;
}

std::vector<ScoreResult> score(const ScorerOptions& options) {
  return ScorerHost(options).score(requests_of({"b", "three"}));
}

TEST(PythonScorer, ScoreAnswersNumbersOrDicts) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
def score(episodes):
    first, second = episodes
    assert first["record"]["output"] == "b" and first["prompt"] == "p" and first["finish_reason"] == "eos"
    assert first["prompt_tokens"] == 3 and first["completion_tokens"] == 4 and first["generation_s"] == 0.5
    return [True, {"score": len(second["completion"]), "reason": "length", "valid": False, "sub_scores": {"x": 1}}]
)"));
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_TRUE(results[0].valid);
  EXPECT_EQ(results[1].score, 5.0);
  EXPECT_FALSE(results[1].valid);
  EXPECT_EQ(results[1].reason, "length");
  const std::vector<std::pair<std::string, double>> parts = {{"x", 1}};
  EXPECT_EQ(results[1].sub_scores, parts);
}

TEST(PythonScorer, GradeAnswersForOneSampleAndItem) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
def grade(sample, item) -> float:
    assert sample["choices"][0]["message"]["content"] == sample["output_text"]
    return 1.0 if sample["output_text"] == item["output"] else 0.25
)"));
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[1].score, 0.25);
}

TEST(PythonScorer, ADecoratedOrImportedFunctionCounts) {
  const TemporaryFolder folder;
  folder.write("neighbour.py", "def grade(sample, item):\n    return 7\n");
  EXPECT_EQ(score(python_options(folder, "from neighbour import grade\n"))[0].score, 7.0);
}

TEST(PythonScorer, PrintsDoNotReachTheProtocol) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
import os, subprocess, sys
print("at import")
def score(episodes):
    print('{"score": 99}', flush=True)
    os.write(1, b'{"score": 98}\n')
    subprocess.run(["echo", "from a child"], check=True)
    assert sys.stdin.read() == ""
    return [1 for _ in episodes]
)"));
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[1].score, 1.0);
  const std::string log = read_file(folder.path() / "stderr.txt");
  for (const char* text : {"at import", "{\"score\": 99}", "{\"score\": 98}", "from a child"})
    EXPECT_NE(log.find(text), std::string::npos) << text;
}

TEST(PythonScorer, AFileWithNeitherFunctionSpeaksTheProtocolItself) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
import json, sys
if __name__ == "__main__":
    for line in sys.stdin:
        episode = json.loads(line)
        print(json.dumps({"score": len(episode["completion"]), "reason": f"{episode['index']} of {episode['of']}"}), flush=True)
)"));
  EXPECT_EQ(results[1].score, 5.0);
  EXPECT_EQ(results[1].reason, "1 of 2");
}

TEST(PythonScorer, AProgramMayUseItsInputHoweverItLikes) {
  for (const char* use :
       {"for line in open(0): print(1, flush=True)\n",
        "import subprocess\nsubprocess.run(['sh', '-c', 'while read l; do echo 1; done'])\n",
        "while True: input(), print(1, flush=True)\n",
        "import sys\nfor line in sys.stdin.buffer: sys.stdout.write('1\\n'), sys.stdout.flush()\n",
        "import sys\nfor line in iter(sys.stdin.readline, ''):\n    score = 1\n"
        "    print(score, flush=True)\n"}) {
    const TemporaryFolder folder;
    EXPECT_EQ(score(python_options(folder, use))[1].score, 1.0) << use;
  }
}

TEST(PythonScorer, AFunctionInABranchCounts) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
try:
    from no_such_module import score
except ImportError:
    def score(episodes):
        return [3 for _ in episodes]
)"));
  EXPECT_EQ(results[0].score, 3.0);
}

TEST(PythonScorer, AFileWithNeitherFunctionFailsAtItsLoadInItsOwnWords) {
  const TemporaryFolder folder;
  const auto expect = [&](const std::string& source, const std::string& words) {
    expect_plugin_error(PluginFailure::not_loadable, {words, "while it was being loaded"},
                        [&] { ScorerHost scorer(python_options(folder, source)); });
  };
  expect("x = 1\nprint(x / 0)\n", "ZeroDivisionError: division by zero (scorer.py:2)");
  expect("def scor(episodes):\n    return [1]\n",
         "it has neither score() nor grade(), and ended without reading its standard input");
  expect("if False:\n    def score(episodes): pass\n", "it has neither score() nor grade()");
  expect_plugin_error(PluginFailure::protocol, {"it answered before it was asked", "hello"},
                      [&] { score(python_options(folder, "print('hello', flush=True)\ninput()\n")); });
}

TEST(PythonScorer, AProgramThatRaisesOrEndsLaterSaysSo) {
  const TemporaryFolder folder;
  // The exception comes as an answer, or where the next batch is to be asked.
  const ScorerOptions options = python_options(folder, R"(
import sys
for line in sys.stdin:
    print(1, flush=True)
    if '"index":1' in line: raise ValueError("enough")
)");
  expect_plugin_error(PluginFailure::threw, {"ValueError: enough (scorer.py:5)"}, [&] {
    ScorerHost scorer(options);
    scorer.score(requests_of({"a", "b"}));
    scorer.score(requests_of({"a", "b"}));
  });
  expect_plugin_error(PluginFailure::crashed, {"exited with code 0", "it has neither score() nor grade()"},
                      [&] { score(python_options(folder, "input()\n")); });
}

TEST(PythonScorer, ConfigureGetsTheOptionsAndSummarizeTheSplit) {
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
def configure(options):
    global bonus
    bonus = options["bonus"]
def score(episodes):
    return [len(e["completion"]) + bonus for e in episodes]
def summarize(episodes):
    return {"mean": sum(e["score"] for e in episodes) / len(episodes)}
)");
  options.options = {{"bonus", 10}};
  ScorerHost scorer(options);
  const auto requests = requests_of({"b", "three"});
  const auto numbers = scorer.summarize(requests, scorer.score(requests));
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->at("mean"), 13.0);
}

TEST(PythonScorer, KeepsAFileBetweenItsProcessesAndWritesNoOther) {
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
import os
def score(episodes):
    for beside in (os.environ["RFT_STATE_FILE"] + "2", "new"):
        try:
            open(beside, "w")
            return [-1] * len(episodes)
        except OSError:
            pass
    with open(os.environ["RFT_STATE_FILE"], "a+") as file:
        file.write("x" * int(os.environ["RFT_HOSTS"]))
        file.seek(0)
        return [len(file.read())] * len(episodes)
)");
  options.state_file = folder.path() / "state/of-it";
  options.num_hosts = 3;
  for (const double length : {3.0, 6.0}) {
    const auto results = score(options);
    if (available_isolation().namespaces) {
      EXPECT_EQ(results[0].score, length);
    }
  }
  EXPECT_EQ(read_file(options.state_file).size() % 3, 0u);
}

TEST(PythonScorer, WritesNoFileBeyondItsLimit) {
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
import errno, os
def score(episodes):
    try:
        os.truncate(os.environ["RFT_STATE_FILE"], (1 << 30) + 1)
    except OSError as error:
        return [error.errno == errno.EFBIG] * len(episodes)
)");
  options.state_file = folder.path() / "state";
  EXPECT_EQ(score(options)[0].score, 1.0);
}

TEST(PythonScorer, WhatItHoldsInMemoryIsKnown) {
  const TemporaryFolder folder;
  const char* const source = "held = bytearray(%) \ndef score(episodes): return []\n";
  const auto held = [&](const std::string& size) {
    std::string text = source;
    return ScorerHost(python_options(folder, text.replace(text.find('%'), 1, "b'x' * " + size)))
        .memory_bytes();
  };
  const int64_t small = held("1"), large = held("50_000_000");
  EXPECT_GT(small, 1'000'000);
  EXPECT_GT(large, small + 45'000'000);
}

TEST(PythonScorer, AFigureThatIsNoNumberIsNamed) {
  const TemporaryFolder folder;
  ScorerHost scorer(python_options(folder,
                                   "def score(episodes):\n    return [1 for e in episodes]\n"
                                   "def summarize(episodes):\n    return {'f1': 'high'}\n"));
  const auto requests = requests_of({"a"});
  const auto results = scorer.score(requests);
  expect_plugin_error(PluginFailure::threw, {"scorer.py: its figure \"f1\" is no number: 'high' (while"},
                      [&] { scorer.summarize(requests, results); });
}

TEST(PythonScorer, ErrorsSayTheExceptionAndItsLine) {
  const TemporaryFolder folder;
  expect_plugin_error(
      PluginFailure::threw, {"scorer scorer.py", "ValueError: no such thing (scorer.py:2)"}, [&] {
        score(python_options(folder, "def score(episodes):\n    raise ValueError('no such thing')\n"));
      });
  for (const auto& [value, returned] :
       {std::pair{"[1]", "it returned 1"}, std::pair{"None", "it returned None"},
        std::pair{"0.5", "it returned 0.5"}, std::pair{"'ab'", "it returned 'ab'"}})
    expect_plugin_error(PluginFailure::threw, {"score() must return a list of 2 numbers", returned}, [&] {
      score(python_options(folder, "def score(episodes):\n    return " + std::string(value) + "\n"));
    });
  expect_plugin_error(
      PluginFailure::not_loadable,
      {"scorer scorer.py: SyntaxError: ", "(scorer.py:2: return [1 for e in episodes)"},
      [&] { score(python_options(folder, "def score(episodes):\n    return [1 for e in episodes\n")); });
  expect_plugin_error(PluginFailure::threw, {"ValueError: one (scorer.py:2)\ntwo"}, [&] {
    score(python_options(folder, "def score(episodes):\n    raise ValueError('one\\ntwo')\n"));
  });
  expect_plugin_error(PluginFailure::not_loadable, {"No module named 'no_such_module' (scorer.py:1)"},
                      [&] { score(python_options(folder, "import no_such_module\ndef score(e): pass\n")); });
  ScorerOptions options = python_options(folder, "");
  options.python = "/usr/bin/no-such-python";
  expect_plugin_error(PluginFailure::not_loadable, {"no-such-python"}, [&] { score(options); });
}

TEST(PythonScorer, MessagesNameTheUsersFileAndNotItsPinnedCopy) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "store");
  const auto message_of = [&](const std::string& name, const std::string& source) {
    ScorerOptions options = options_for(folder.write("store/plugin.py", source), folder);
    options.kind = "python";
    options.name = name;
    try {
      require_scores(options, requests_of({"b", "three"}));
    } catch (const PluginError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto expect = [&](const std::string& name, const std::string& source, const std::string& words) {
    const std::string message = message_of(name, source);
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_EQ(message.find("plugin.py"), std::string::npos) << message;
  };
  expect("scorer.py", "def score(e):\n    1 / 0\n",
         "scorer scorer.py: ZeroDivisionError: division by zero (scorer.py:2)");
  expect("grader", "def grade(s, i):\n    1 / 0\n",
         "scorer grader (grader.py): ZeroDivisionError: division by zero (grader.py:2)");
  expect("scorer.py", "def score(:\n", "(scorer.py:1: def score(:)");
  expect("scorer.py", "import sys\nprint(__file__, file=sys.stderr)\nsys.exit(3)\ndef score(e): pass\n",
         "its last words:\nscorer.py");
}

TEST(PythonScorer, AGradeThatRaisesFailsItsEpisodeAlone) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
def grade(sample, item):
    return {"b": 1}[sample["output_text"]]
)"));
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_FALSE(results[1].score.has_value());
  EXPECT_EQ(results[1].error, "KeyError: 'three' (scorer.py:3)");
}

TEST(PythonScorer, NoBadScoreIsANumber) {
  const TemporaryFolder folder;
  const auto expect = [&](const std::string& value, PluginFailure kind, const std::string& words) {
    expect_plugin_error(
        kind, {words, "the completion was \"three\"", "its record is {\"output\":\"b\"}"}, [&] {
          require_scores(python_options(folder, "def score(episodes):\n    return [1, " + value + "]\n"),
                         requests_of({"b", "three"}));
        });
  };
  expect("float('nan')", PluginFailure::not_finite, "its score is NaN");
  expect("float('-inf')", PluginFailure::not_finite, "its score is minus infinite");
  expect("{'score': 1, 'sub_scores': {'x': float('nan')}}", PluginFailure::not_finite,
         "sub-score \"x\" is NaN");
  expect("None", PluginFailure::unwritten, "it left the score unwritten");
  expect("{'reason': 'x'}", PluginFailure::unwritten, "it left the score unwritten");
  expect("'high'", PluginFailure::threw, "its score is no number: 'high'");
}

TEST(PythonScorer, GoesOnAfterAnException) {
  const TemporaryFolder folder;
  ScorerHost scorer(python_options(folder, R"(
calls = 0
def score(episodes):
    global calls
    calls += 1
    if calls == 1: raise RuntimeError("the first time")
    return [calls] * len(episodes)
)"));
  expect_plugin_error(PluginFailure::threw, {"the first time"}, [&] {
    scorer.score(requests_of({"a", "b", "c"}));
  });
  EXPECT_EQ(scorer.score(requests_of({"a"}))[0].score, 2.0);
}

TEST(PythonScorer, DeathAndHangsAreNamed) {
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::crashed, {"exited with code 5", "after 0 lines"}, [&] {
    score(python_options(folder, "import os\ndef score(episodes): os._exit(5)\n"));
  });
  expect_plugin_error(PluginFailure::crashed, {"signal 9"}, [&] {
    score(python_options(folder,
                         "import os, signal\ndef score(episodes): os.kill(os.getpid(), signal.SIGKILL)\n"));
  });
  ScorerOptions options = python_options(folder, "def score(episodes):\n    while True: pass\n");
  options.timeout_s = 0.5;
  expect_plugin_error(PluginFailure::timed_out,
                      {"no answer within 0.5 s", "[scorer] timeout_s gives it longer"},
                      [&] { score(options); });
  expect_nothing_left(folder);
}

TEST(PythonScorer, WhatItStartedEndsWithIt) {
  constexpr char kSource[] = R"(
import os, subprocess, time
def score(episodes):
    for _ in range(3): subprocess.Popen(["sleep", "1000"])
    if os.fork() == 0:
        try: os.setsid()
        except OSError: pass
        time.sleep(1000)
    if EXIT: os._exit(1)
    time.sleep(1000)
)";
  for (const bool trusted : {false, true})
    for (const char* exits : {"True", "False"}) {
      const TemporaryFolder folder;
      ScorerOptions options = python_options(folder, "EXIT = " + std::string(exits) + kSource);
      options.trusted = trusted;
      options.timeout_s = 1;
      EXPECT_THROW(score(options), PluginError);
      expect_nothing_left(folder);
    }
}

TEST(PythonScorer, HasNoNetworkUnlessItIsGranted) {
  if (!available_isolation().system_call_filter) GTEST_SKIP() << available_isolation().missing;
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
import socket
def score(episodes):
    socket.socket().close()
    return [1 for _ in episodes]
)");
  expect_plugin_error(PluginFailure::threw, {"PermissionError"}, [&] { score(options); });
  options.allow_network = true;
  EXPECT_EQ(score(options)[0].score, 1.0);
}

TEST(PythonScorer, KnowsTheDaemonsProxiesWithTheNetworkAlone) {
  ::setenv("https_proxy", "http://proxy.example:3128", 1);
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
import os
def score(episodes):
    return [{"score": 1, "reason": os.environ.get("https_proxy", "none")} for _ in episodes]
)");
  EXPECT_EQ(score(options)[0].reason, "none");
  options.allow_network = true;
  EXPECT_EQ(score(options)[0].reason, "http://proxy.example:3128");
  ::unsetenv("https_proxy");
}

TEST(PythonScorer, WhatItAnswersIsCutAndTooManySubScoresAreAFailure) {
  const TemporaryFolder folder;
  const auto results = score(python_options(folder, R"(
def score(episodes):
    parts = {"x" * 1000 + str(i): 1.0 for i in range(257)}
    return [{"score": 1, "reason": "ä" * 1_500_000, "sub_scores": {"n" * 5000: 2}},
            {"score": 1, "sub_scores": parts}]
)"));
  EXPECT_LE(results[0].reason.size(), 4096u);
  EXPECT_GE(results[0].reason.size(), 4090u);
  EXPECT_EQ(results[0].reason.substr(results[0].reason.size() - 5), "ä…");
  EXPECT_EQ(results[0].sub_scores.at(0).first.size(), 4096u);
  EXPECT_FALSE(results[1].score.has_value());
  EXPECT_EQ(results[1].error, "it answered 257 sub-scores; the most is 256");
  expect_plugin_error(PluginFailure::threw, {"eeee…"}, [&] {
    score(python_options(folder, "def score(episodes):\n    raise ValueError('e' * 3_000_000)\n"));
  });
}

TEST(CommandScorer, AnswersNumbersOrObjectsLineByLine) {
  const TemporaryFolder folder;
  auto results = score(command_options(folder, "while read -r line; do echo 0.5; done"));
  EXPECT_EQ(results[1].score, 0.5);
  // All at the end is as good.
  results = score(command_options(
      folder, "read -r a; read -r b; echo '{\"score\": 1}'; echo '{\"error\": \"no idea\"}'; cat"));
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[1].error, "no idea");
}

TEST(CommandScorer, GetsItsOptionsFromTheEnvironment) {
  const TemporaryFolder folder;
  ScorerOptions options =
      command_options(folder, "while read -r line; do echo \"$RFT_SCORER_OPTIONS\"; done");
  options.options = {{"score", 3}};
  EXPECT_EQ(score(options)[0].score, 3.0);
}

TEST(CommandScorer, TakesMoreThanAPipeHolds) {
  const TemporaryFolder folder;
  ScorerOptions options = python_options(folder, R"(
import sys
for line in sys.stdin: print(len(line), flush=True)
)");
  ScorerHost scorer(options);
  auto requests = requests_of({});
  for (int i = 0; i < 100; ++i)
    requests.push_back({.completion = std::string(20000, 'x'), .record_json = "{}"});
  for (int i = 0; i < 3; ++i) {
    const auto results = scorer.score(requests);
    ASSERT_EQ(results.size(), 100u);
    EXPECT_GT(results.back().score, 20000);
  }
}

TEST(CommandScorer, WrongAnswersAreProtocolErrors) {
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::protocol, {"run", "not valid JSON", "hello"}, [&] {
    score(command_options(folder, "while read -r line; do echo hello there; done"));
  });
  expect_plugin_error(PluginFailure::protocol, {"closed its output"},
                      [&] { score(command_options(folder, "exec >&-; cat >/dev/null")); });
  expect_plugin_error(PluginFailure::protocol, {"longer than 16 MiB"},
                      [&] { score(command_options(folder, "read -r line; cat /dev/zero")); });
  ScorerHost talkative(command_options(folder, "while read -r line; do echo 1; echo 1; done"));
  expect_plugin_error(PluginFailure::protocol, {"more lines than it was asked"}, [&] {
    talkative.score(requests_of({"a"}));
    for (int i = 0; i < 100; ++i) talkative.score(requests_of({"a"}));
  });
}

TEST(CommandScorer, DeathIsNamed) {
  const TemporaryFolder folder;
  expect_plugin_error(PluginFailure::crashed, {"exited with code 7", "after 1 lines"},
                      [&] { score(command_options(folder, "read -r line; echo 1; exit 7")); });
  expect_plugin_error(PluginFailure::crashed, {"signal 11"},
                      [&] { score(command_options(folder, "kill -SEGV $$")); });
}

TEST(CommandScorer, OneThatCannotBeRunSaysWhatItsFirstLineLacks) {
  const auto expect = [](const std::string& text, const std::string& words) {
    const TemporaryFolder folder;
    ScorerOptions options = options_for(folder.write("run", text, true), folder);
    options.kind = "command";
    expect_plugin_error(PluginFailure::not_loadable, {"scorer run", words}, [&] { score(options); });
  };
  expect("#!/no/such/interpreter -x\n", "names is not there: \"#!/no/such/interpreter -x\"");
  expect("#!/bin/sh\r\n", "names is not there: \"#!/bin/sh\\r\"");
  expect("echo 1\n", "its first line must name its interpreter, such as #!/bin/sh");
}

}  // namespace
}  // namespace rft::plugins
