// The command line that people know from elsewhere: files in, a model out, and on from there.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

// Scores as the job's own scorer does.
constexpr const char* kGrader = R"({"type": "multi", "name": "all", "calculate_output": "right + half - 0.5",
  "graders": {
    "right": {"type": "string_check", "name": "right", "operation": "eq", "input": "{{sample.output_text}}",
              "reference": "{{item.output}}"},
    "half": {"type": "python", "name": "half", "source": "def grade(sample, item):\n    return 0.5\n"}}})";

class FineTunes : public ::testing::Test {
 protected:
  FineTunes() {
    write_small_job(files_);
    home_.start();
  }
  Answer create(const std::vector<std::string>& others) {
    std::vector<std::string> arguments = {"fine-tunes",
                                          "create",
                                          "-t",
                                          file("train.jsonl"),
                                          "-v",
                                          file("valid.jsonl"),
                                          "--test-file",
                                          file("test.jsonl"),
                                          "--learning-rate",
                                          "1e-3"};
    for (const char* setting :
         {"rollout.max_new_tokens=6", "rollout.prompts_per_iteration=16", "resources.cores=1"})
      arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), others.begin(), others.end());
    return home_.rftctl(arguments);
  }
  std::string file(const std::string& name) const { return (files_ / name).string(); }

  DaemonHome home_;
  fs::path files_ = home_.staging("files");
};

TEST_F(FineTunes, CreateMakesAJobFromFilesAndGoesOnFromAnothers) {
  const Answer first = create({"--model", "tiny", "--reward-model", file("scorer.py"), "--n_epochs", "1",
                               "--suffix", "words", "--set", "warmup.epochs=2"});
  ASSERT_EQ(first.exit_code, 0) << first.errors << first.json.dump();
  const int64_t from = first.json["id"];
  EXPECT_EQ(first.json["name"], "words");
  const Json taught = home_.wait(from);
  ASSERT_EQ(taught["state"], "succeeded") << taught.dump();

  const fs::path grader = write_text(files_ / "grader.json", kGrader);
  const Answer second =
      create({"--from-job", std::to_string(from), "--grader", grader.string(), "--n_epochs", "1"});
  ASSERT_EQ(second.exit_code, 0) << second.errors << second.json.dump();
  const Json onward = home_.wait(second.json["id"]);
  ASSERT_EQ(onward["state"], "succeeded") << onward.dump();
  EXPECT_EQ(onward["scorer"], "multi");
  EXPECT_EQ(onward["result"]["test"]["base"]["right"], onward["result"]["test"]["base"]["score_mean"]);
  EXPECT_EQ(onward["result"]["test"]["base"]["half"], 0.5);
  EXPECT_EQ(onward["result"]["test"]["base"]["score_mean"], taught["result"]["test"]["final"]["score_mean"])
      << "it begins where the first one ended";
  EXPECT_TRUE(fs::is_empty(home_.incoming("")));

  const fs::path target = home_.staging("exported/words");
  ASSERT_EQ(home_.rftctl({"export", "words", target.string()}).exit_code, 0);
  const fs::path model = fs::path(taught["folder"].get<std::string>()) / "model";
  EXPECT_EQ(sha256_file(target / "model.safetensors"), sha256_file(model / "model.safetensors"));
  EXPECT_EQ(home_.rftctl({"models", "check", target.string()}).exit_code, 0);
  EXPECT_EQ(home_.rftctl({"export", "words", target.string()}).exit_code, cli::kConflict);

  // An export is as open as the umask of whoever asks for it lets it be, also in a folder that is there.
  const mode_t umask_before = ::umask(0022);
  const fs::path empty = home_.staging("empty");
  fs::create_directory(empty);
  const Answer filled = home_.rftctl({"export", "words", empty.string()});
  ::umask(umask_before);
  EXPECT_EQ(filled.exit_code, 0) << filled.errors;
  EXPECT_EQ(sha256_file(empty / "model.safetensors"), sha256_file(model / "model.safetensors"));
  EXPECT_EQ(static_cast<int>(fs::status(empty / "model.safetensors").permissions()), 0644);
  EXPECT_FALSE(fs::exists(empty / "model"));
  const Answer impossible = home_.rftctl({"export", "words", (empty / "model.safetensors/x").string()});
  EXPECT_EQ(impossible.exit_code, cli::kFailed);
  EXPECT_THAT(impossible.errors, HasSubstr("cannot write to "));

  const Answer unknown = home_.rftctl({"metrics", "words", "--name", "rollout/score_men"});
  EXPECT_EQ(unknown.exit_code, cli::kNotFound);
  EXPECT_THAT(unknown.errors, HasSubstr("did you mean \"rollout/score_mean\"?"));
  EXPECT_THAT(home_.rftctl({"metrics", "words", "--chart", "score_mean"}).errors,
              HasSubstr("there is: rollout/score_mean, "));
  EXPECT_EQ(home_.rftctl({"metrics", "words", "--name", "rollout/score_mean"}).exit_code, 0);
}

TEST_F(FineTunes, AnAdapterIsTrainedExportedAndTakenUpAgain) {
  const Answer first =
      create({"--model", "tiny", "--reward-model", file("scorer.py"), "--n_epochs", "1", "--suffix", "words",
              "--set", "warmup.epochs=2", "--set", "model.lora.rank=8"});
  ASSERT_EQ(first.exit_code, 0) << first.errors << first.json.dump();
  const Json taught = home_.wait(first.json["id"]);
  ASSERT_EQ(taught["state"], "succeeded") << taught.dump();

  const fs::path adapter = home_.staging("adapter"), model = home_.staging("model");
  EXPECT_EQ(home_.rftctl({"export", "words", adapter.string()}).json["what"], "adapter");
  EXPECT_TRUE(fs::exists(adapter / "adapter_config.json"));
  EXPECT_EQ(home_.rftctl({"export", "words", model.string(), "--merge"}).json["what"], "model");
  EXPECT_EQ(home_.rftctl({"models", "check", model.string()}).exit_code, 0);

  const Answer second = create({"--model", "tiny", "--reward-model", file("scorer.py"), "--n_epochs", "1",
                                "--set", "model.adapter=\"" + adapter.string() + "\""});
  ASSERT_EQ(second.exit_code, 0) << second.errors << second.json.dump();
  const Json onward = home_.wait(second.json["id"]);
  ASSERT_EQ(onward["state"], "succeeded") << onward.dump();
  EXPECT_EQ(onward["result"]["test"]["base"]["score_mean"], taught["result"]["test"]["final"]["score_mean"])
      << "it begins where the first one ended";
}

TEST_F(FineTunes, CreateFollowsToTheEnd) {
  const Answer followed =
      create({"--model", "tiny", "--reward-model", file("scorer.py"), "--n_epochs", "1", "--follow"});
  EXPECT_EQ(followed.exit_code, 0) << followed.errors;
  EXPECT_EQ(home_.show(1)["state"], "succeeded");
}

TEST_F(FineTunes, CreateNamesWhatIsWrong) {
  const Answer no_scorer = create({"--model", "tiny", "--reward-model", "exact_mach"});
  EXPECT_EQ(no_scorer.exit_code, cli::kRejected);
  EXPECT_THAT(no_scorer.json["reason"].get<std::string>(), HasSubstr("exact_match"));
  EXPECT_EQ(create({"--model", "tiny", "--reward-model", "/no/scorer.py"}).exit_code, cli::kNotFound);
  EXPECT_EQ(create({"--from-job", "99", "--reward-model", "exact_match"}).exit_code, cli::kNotFound);
  EXPECT_EQ(create({"--from-job", "1", "--reward-model", "exact_match"}).exit_code, cli::kConflict)
      << "a rejected job has no model";
}

}  // namespace
}  // namespace rft::integration
