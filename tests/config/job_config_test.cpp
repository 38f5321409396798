#include "config/job_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kRequired =
    "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n";

class JobConfigFile : public ::testing::Test {
 protected:
  JobConfig parse(const std::string& text) { return parse_job(write_text(file(), text)); }
  // The message of the error, with the file's own path taken off.
  std::string error_of(const std::string& text) {
    try {
      parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      std::string message = error.what();
      EXPECT_THAT(message, StartsWith(file().string() + ":"));
      return message.substr(file().string().size());
    }
    return "no error";
  }
  std::filesystem::path file() const { return folder_.path() / "job.toml"; }

  TempDir folder_;
};

TEST_F(JobConfigFile, SetsWhatChangesWithAScorerAndNothingElse) {
  JobConfig job = parse(std::string(kRequired) + "timeout_s = 5\nsecrets = [\"mine\"]\n");
  set_scorer_settings(job, "[scorer]\nnetwork = true\non_error = \"skip\"\n");
  EXPECT_TRUE(job.scorer.network);
  EXPECT_EQ(job.scorer.on_error, "skip");
  EXPECT_EQ(job.scorer.timeout_s, 5) << "what is not said stays";
  EXPECT_TRUE(job.lines.given("scorer", "network"));
  EXPECT_EQ(job.lines.where("scorer", "network"), "") << "it is in no file";
  JobConfig other = parse(kRequired);
  set_scorer_settings(other, scorer_settings(job));
  EXPECT_EQ(scorer_settings(other), scorer_settings(job));
  EXPECT_THAT(other.scorer.secrets, ElementsAre("mine"));

  const auto error_of = [&](const std::string& settings) {
    try {
      set_scorer_settings(job, settings);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(error_of("[scorer]\ntimeout_s = 0"), "[scorer] timeout_s = 0 is out of range; give number > 0");
  EXPECT_THAT(
      error_of("[scorer]\nhosts = 2"),
      StartsWith("unknown key [scorer] hosts; the keys here are timeout_s, on_error, network, python"));
  EXPECT_THAT(error_of("[ppo]\nkl_coef = 0"), StartsWith("unknown section [ppo]"));
  EXPECT_THAT(error_of("[scorer]\non_error = skip"), StartsWith("on_error = skip: not valid TOML: "));
}

TEST_F(JobConfigFile, TakesDefaultsForAllButThreeKeys) {
  const JobConfig job = parse(kRequired);
  EXPECT_EQ(job.model.path, "tiny");
  EXPECT_EQ(job.data.train, "train.jsonl");
  EXPECT_EQ(job.scorer.plugin, "exact_match");
  EXPECT_EQ(job.training.epochs, 4);
  EXPECT_DOUBLE_EQ(job.data.validation_split, 0.1);
}

TEST_F(JobConfigFile, NamesTheSectionOfAMissingRequiredKey) {
  EXPECT_THAT(error_of("[data]\ntrain = \"t\"\n[scorer]\nplugin = \"x\"\n"),
              StartsWith(": [model] path is missing; add path"));
  EXPECT_THAT(error_of("[data]\nvalidation = \"v\"\n[model]\npath = \"m\"\n[scorer]\nplugin = \"x\"\n"),
              StartsWith(":1: [data] train is missing"));
}

TEST_F(JobConfigFile, SuggestsTheNearestKeyWithItsLine) {
  EXPECT_EQ(error_of(std::string(kRequired) + "[training]\nepochs = 2\nlerning_rate = 1e-4\n"),
            ":9: unknown key [training] lerning_rate; did you mean learning_rate?");
  EXPECT_THAT(error_of(std::string(kRequired) + "[training]\nn_epochs = 2\n"),
              HasSubstr("did you mean epochs?"));
}

TEST_F(JobConfigFile, SendsAMisplacedKeyToItsSection) {
  EXPECT_EQ(error_of(std::string(kRequired) + "[training]\ntemperature = 1.0\n"),
            ":8: unknown key [training] temperature; it belongs in [rollout]");
}

TEST_F(JobConfigFile, SuggestsTheNearestSection) {
  EXPECT_EQ(error_of(std::string(kRequired) + "[trainig]\nepochs = 1\n"),
            ":7: unknown section [trainig]; did you mean [training]?");
}

TEST_F(JobConfigFile, NamesTheWrongTypeAndTheRightOne) {
  EXPECT_EQ(error_of(std::string(kRequired) + "[training]\nepochs = \"four\"\n"),
            ":8: [training] epochs is a string; give integer ≥ 1");
  EXPECT_THAT(error_of(std::string(kRequired) + "[rollout]\nstop = [1]\n"),
              HasSubstr(":8: [rollout] stop is an integer; give string or list of strings"));
  EXPECT_THAT(error_of("model = \"tiny\"\n"),
              HasSubstr(":1: model is a string; write it as a section [model]"));
}

TEST_F(JobConfigFile, RefusesValuesOutOfRange) {
  EXPECT_EQ(error_of(std::string(kRequired) + "[training]\nepochs = 0\n"),
            ":8: [training] epochs = 0 is out of range; give integer ≥ 1");
  EXPECT_THAT(error_of(std::string(kRequired) + "[rollout]\ntemperature = 0\n"),
              HasSubstr("give number > 0"));
  EXPECT_THAT(error_of(std::string(kRequired) + "[ppo]\ngamma = nan\n"), HasSubstr("out of range"));
  EXPECT_THAT(error_of(std::string(kRequired) + "[ppo]\nadvantage_estimator = \"grp\"\n"),
              HasSubstr("did you mean \"grpo\"?"));
}

TEST_F(JobConfigFile, PointsAtASyntaxError) {
  EXPECT_THAT(error_of("name = \"a\"\n[model\npath = 1\n"),
              AllOf(StartsWith(":2: not valid TOML: "), HasSubstr("missing quote, bracket")));
  EXPECT_THAT(error_of(std::string(kRequired) + "[model]\ndtype = \"auto\"\n"),
              AllOf(HasSubstr("'model'; it stands above already"), Not(HasSubstr("missing quote"))));
}

TEST_F(JobConfigFile, RefusesFiltersInRolloutsWithTheReason) {
  for (const std::string key : {"top_k = 5", "top_p = 0.9", "min_p = 0.1"})
    EXPECT_THAT(error_of(std::string(kRequired) + "[rollout]\n" + key + "\n"),
                AllOf(StartsWith(":8: [rollout]"), HasSubstr("no KL of 0 to its reference")));
}

TEST_F(JobConfigFile, ChecksKeysAgainstEachOther) {
  const std::string required = kRequired;
  EXPECT_THAT(
      error_of(required + "[ppo]\nadvantage_estimator = \"grpo\"\n[rollout]\nsamples_per_prompt = 1\n"),
      AllOf(StartsWith(":8: "), HasSubstr("samples_per_prompt ≥ 2")));
  EXPECT_THAT(error_of("[data]\ntrain = \"t\"\nvalidation = \"v\"\nvalidation_split = 0.2\n[model]\npath = "
                       "\"m\"\n[scorer]\nplugin = \"x\"\n"),
              AllOf(StartsWith(":4: "), HasSubstr("excludes validation")));
  EXPECT_THAT(error_of(required + "[rollout]\nprompts_per_iteration = 1\nsamples_per_prompt = 2\n"),
              HasSubstr("minibatches = 4 is more than the 2 episodes"));
  EXPECT_THAT(error_of(required + "[validation]\ntop_k = 4\n"), HasSubstr("needs temperature > 0"));
  EXPECT_THAT(error_of(required + "[warmup]\ndata = \"w\"\n"), HasSubstr("set epochs"));
  EXPECT_THAT(error_of(required + "[ppo]\nadvantage_estimator = \"rloo\"\nmissing_eos = \"bootstrap\"\n"),
              HasSubstr("value head"));
  EXPECT_THAT(error_of(required + "[ppo]\nclip_range_high = 0.1\n"), HasSubstr("below clip_range"));
  EXPECT_THAT(error_of(required + "[ppo]\nkl_coef = 0.0\nadaptive_kl_target = 0.1\n"),
              AllOf(StartsWith(":9: "), HasSubstr("multiplies kl_coef, which is 0")));
  EXPECT_THAT(error_of(required + "[ppo]\nadvantage_estimator = \"grpo\"\nvalue_model = \"separate\"\n"),
              AllOf(StartsWith(":9: "), HasSubstr("trains no critic")));
  EXPECT_THAT(error_of(required + "[rollout]\ndynamic_sampling = \"drop\"\n"),
              AllOf(StartsWith(":8: "), HasSubstr("learns from equal scores too")));
  EXPECT_THAT(error_of(required + "[ppo]\nimportance_cap = 0.5\n"), HasSubstr("below 1"));
  EXPECT_THAT(error_of(required + "[resources]\ncores = 2\nranks = 3\n"),
              AllOf(StartsWith(":9: "), HasSubstr("more than cores = 2")));
  EXPECT_THAT(error_of(required + "[resources]\ngpus = 1\nranks = 2\n"), HasSubstr("is for the CPU"));
}

TEST_F(JobConfigFile, ReadsALoraTableInEitherSpelling) {
  const auto lora_of = [&](const std::string& model) {
    return parse("[model]\npath = \"m\"\n" + model + "[data]\ntrain = \"t\"\n[scorer]\nplugin = \"x\"\n")
        .model.lora;
  };
  const LoraConfig given =
      lora_of("lora = { rank = 16, alpha = 8.5, rslora = true, targets = [\"q_proj\", \"v_proj\"] }\n");
  EXPECT_EQ(given.rank, 16);
  EXPECT_EQ(given.alpha, 8.5);
  EXPECT_TRUE(given.rslora);
  EXPECT_THAT(given.targets, ElementsAre("q_proj", "v_proj"));
  const LoraConfig defaults = lora_of("[model.lora]\nrank = 4\n");
  EXPECT_EQ(defaults.alpha, 8);
  EXPECT_FALSE(defaults.rslora);
  EXPECT_THAT(defaults.targets, ElementsAre("all-linear"));
  EXPECT_THAT(lora_of("lora = { rank = 4, targets = \"all-linear\" }\n").targets, ElementsAre("all-linear"));
  EXPECT_EQ(lora_of("").rank, 0);
}

TEST_F(JobConfigFile, RefusesALoraTableThatMeansNothing) {
  const auto error_of_lora = [&](const std::string& lora) {
    return error_of(std::string(kRequired) + lora + "\n");
  };
  EXPECT_THAT(error_of_lora("[model.lora]\nalpha = 8"),
              AllOf(StartsWith(":7: [model.lora] rank is missing"), HasSubstr("such as rank = 16")));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = 0\nalpha = 8"),
              AllOf(StartsWith(":8: [model.lora] rank = 0"), HasSubstr("leave the table out")));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = -1"),
              HasSubstr(":8: [model.lora] rank = -1 is out of range"));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = 4\ndropout = 0.1"),
              AllOf(StartsWith(":9: [model.lora] dropout is refused"), HasSubstr("Leave the key out")));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = 4\ntargts = [\"q_proj\"]"),
              HasSubstr("did you mean targets?"));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = 4\ntargets = 3"),
              HasSubstr("give string or list of strings"));
  EXPECT_THAT(error_of_lora("[model.lora]\nrank = 4\ntargets = [\"all-linear\", \"q_proj\"]"),
              HasSubstr(":9: [model.lora] targets names all-linear and other modules"));
  EXPECT_THAT(error_of("[model]\npath = \"m\"\nadapter = \"a\"\nlora = { rank = 4 }\n[data]\ntrain = "
                       "\"t\"\n[scorer]\nplugin = \"x\"\n"),
              AllOf(StartsWith(":4: "), HasSubstr("excludes [model] adapter")));
  EXPECT_THAT(error_of("[model]\npath = \"m\"\nlora = 16\n[data]\ntrain = \"t\"\n[scorer]\nplugin = \"x\"\n"),
              HasSubstr(":3: [model] lora is an integer; write it as a section [model.lora]"));
}

TEST_F(JobConfigFile, KeepsAScorersOptionsAsTheyAre) {
  const JobConfig job = parse(
      "[model]\npath = \"m\"\n[data]\ntrain = \"t\"\n[scorer]\nplugin = \"x\"\n"
      "options = { positive = \"flag\", weights = [1, 2.5], deep = { a = true } }\n");
  EXPECT_EQ(job.scorer.options["positive"], "flag");
  EXPECT_EQ(job.scorer.options["weights"][0], 1);
  EXPECT_EQ(job.scorer.options["weights"][1], 2.5);
  EXPECT_EQ(job.scorer.options["deep"]["a"], true);
}

TEST_F(JobConfigFile, ReadsItsOwnPlanBackToTheSameText) {
  JobConfig job = parse(
      std::string(kRequired) +
      "options = { text = \"a \\\"b\\\" \\\\ \\n ü\", n = [1, 2.5] }\n[training]\nlearning_rate = 3.3e-5\n");
  job.data.prompt = "{task}\n\t{input}\x01";
  job.rollout.stop = {"\n\n", "\"end\""};
  job.model.lora = {8, 12, true, {"q_proj", "up_proj"}};
  job.resolved.job_id = 17;
  job.resolved.model_path = "/models/tiny";
  job.resolved.adapter_path = "/models/adapter";
  set_pinned_scorers(
      job, {{"a", "x.so", {{"n", 1}}, "/store/x.so", "shared_object", "abc", true, "", true, {"key"}, 123},
            {"b", "y.py", Json::object(), "/store/y.py", "python", "def", false, "/v/bin/python"}});
  const std::string text = to_toml(job);
  const JobConfig back = parse_plan(write_text(folder_.path() / "plan.toml", text));
  EXPECT_EQ(to_toml(back), text);
  EXPECT_EQ(back.training.learning_rate, 3.3e-5);
  EXPECT_EQ(back.data.prompt, job.data.prompt);
  EXPECT_EQ(back.rollout.stop, job.rollout.stop);
  EXPECT_EQ(back.scorer.options, job.scorer.options);
  EXPECT_EQ(back.model.lora.targets, job.model.lora.targets);
  EXPECT_EQ(back.resolved.job_id, 17);
  const auto scorers = pinned_scorers(back);
  ASSERT_EQ(scorers.size(), 2u);
  const auto& first = scorers[0];
  EXPECT_EQ(first.name, "a");
  EXPECT_EQ(first.plugin, "x.so");
  EXPECT_EQ(first.options["n"], 1);
  EXPECT_EQ(first.path, "/store/x.so");
  EXPECT_EQ(first.kind, "shared_object");
  EXPECT_EQ(first.digest, "abc");
  EXPECT_TRUE(first.trusted);
  EXPECT_EQ(first.python, "");
  EXPECT_TRUE(first.network);
  EXPECT_THAT(first.secrets, ElementsAre("key"));
  EXPECT_EQ(first.memory_bytes, 123);
  EXPECT_FALSE(scorers[1].trusted);
  EXPECT_EQ(scorers[1].python, "/v/bin/python");
}

// As it was written when all the scorers of a job had the network, or none.
TEST_F(JobConfigFile, TakesAPlanWithoutEachScorersNetwork) {
  JobConfig job = parse(std::string(kRequired) + "network = true\n");
  job.resolved.job_id = 17;
  job.resolved.model_path = "/models/tiny";
  job.resolved.scorers = Json::parse(
      R"({"": {"plugin": "x", "options": {}, "path": "/x", "kind": "python", "digest": "a", "trusted": false}})");
  EXPECT_TRUE(pinned_scorers(job).at(0).network);
}

TEST_F(JobConfigFile, TakesEitherAPluginOrAGrader) {
  const std::string head = "[model]\npath = \"m\"\n[data]\ntrain = \"t\"\n[scorer]\n";
  EXPECT_EQ(parse(head + "grader = \"grader.json\"\n").scorer.grader, "grader.json");
  EXPECT_THAT(error_of(head), AllOf(HasSubstr(":5: [scorer] plugin is missing"), HasSubstr("grader = ")));
  EXPECT_EQ(parse(head + "grader = \"g.json\"\noptions = { a = 1 }\n").scorer.options["a"], 1);
  EXPECT_THAT(error_of(head + "plugin = \"p\"\ngrader = \"g.json\"\n"), HasSubstr("grader excludes plugin"));
}

TEST_F(JobConfigFile, DoesNotLetAnOwnerDecideWhatAdmissionDecides) {
  EXPECT_THAT(error_of(std::string(kRequired) + "[resolved]\njob_id = 1\n"),
              HasSubstr("is what admission decides"));
}

TEST_F(JobConfigFile, RequiresWhatAdmissionDecidedInAPlan) {
  EXPECT_THROW(parse_plan(write_text(file(), kRequired)), Error);
}

// docs/job.md holds the tables between these two lines; RFT_UPDATE_DOCS=1 writes them.
TEST(JobReference, IsWhatTheCodeSays) {
  const std::filesystem::path file = std::filesystem::path(RFT_SOURCE_DIR) / "docs/job.md";
  const std::string begin = "<!-- tables: made from daemon/config/job_config.cpp -->\n";
  const std::string end = "<!-- end of tables -->\n";
  const std::string text = read_file(file);
  const auto from = text.find(begin);
  const auto to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::string expected = text.substr(0, from) + begin + "\n" + job_reference() + "\n" + text.substr(to);
  if (std::getenv("RFT_UPDATE_DOCS") != nullptr) write_file_atomically(file, expected);
  EXPECT_EQ(read_file(file), expected) << "run config_test with RFT_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace rft::config
