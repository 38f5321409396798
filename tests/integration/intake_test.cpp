// From a dropped folder to a better model, and how a folder may arrive.
#include <gmock/gmock.h>

#include "base/sha256.h"
#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

TEST(DroppedFolder, BecomesAModelWithItsFigures) {
  DaemonHome home;
  home.start();
  const int64_t id = home.drop(write_small_job(home.staging("words")));
  const Answer waited = home.rftctl({"wait", std::to_string(id), "--timeout", "120"});
  ASSERT_EQ(waited.exit_code, 0) << waited.json.dump();

  const Json job = home.show(id);
  EXPECT_EQ(job["state"], "succeeded");
  EXPECT_EQ(job["name"], "words");
  EXPECT_EQ(job["attempt"], 1);
  for (const char* stage : {"base", "warmup", "final"})
    EXPECT_TRUE(job["result"]["test"][stage].contains("score_mean")) << stage << job.dump();
  EXPECT_GT(job["result"]["test"]["warmup"]["score_mean"], job["result"]["test"]["base"]["score_mean"]);
  EXPECT_TRUE(job["validation"].contains("best")) << job.dump();

  const fs::path folder = job["folder"].get<std::string>();
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    EXPECT_TRUE(fs::exists(folder / "model" / file)) << file;
  EXPECT_EQ(home.rftctl({"models", "check", (folder / "model").string()}).exit_code, 0);
  write_text(home.staging("by_length.py"), "def grade(sample, item):\n  return len(sample['output_text'])\n");
  const auto sampled = home.rftctl(
      {"scorer", "test", home.staging("by_length.py").string(), "--model", (folder / "model").string(),
       "--data", (folder / "input" / "train.jsonl").string(), "--limit", "3", "--max-new-tokens", "4"});
  EXPECT_EQ(sampled.exit_code, 0) << sampled.errors;
  EXPECT_EQ(sampled.json["scored"], 3);
  const std::string check = "cd " + folder.string() + " && sha256sum --check --quiet manifest.sha256";
  EXPECT_EQ(cli::run_program("/bin/sh", {"-c", check}).exit_code, 0);
  EXPECT_TRUE(fs::is_empty(home.incoming(""))) << "the folder was taken, not copied";

  const std::string number = std::to_string(id);
  EXPECT_FALSE(home.rftctl({"metrics", number}).json.empty());
  EXPECT_FALSE(home.rftctl({"logs", number}).json.empty());
  EXPECT_TRUE(home.rftctl({"rollouts", number, "--last", "1"}).json.contains("score"));
  EXPECT_THAT(home.rftctl({"show", number, "--plan"}).json["plan"].get<std::string>(),
              HasSubstr("prompts_per_iteration = 16"));
}

TEST(CopiedFolder, IsTakenOnceItHoldsReady) {
  DaemonHome home("[intake]\nsettle_s = 3600\n");
  home.start();
  write_small_job(home.incoming("words"));
  write_text(home.incoming("words") / "READY", "");
  const int64_t id = home.job_of_folder("words");
  home.await_state(id, "running");
  EXPECT_FALSE(fs::exists(home.incoming("words")));
}

TEST(CopiedFolder, SettlesForAsLongAsItIsWrittenTo) {
  DaemonHome home("[intake]\nsettle_s = 1\n");
  home.start();
  fs::create_directory(home.incoming("slow"));
  // The rows are written one after the other, each after the folder was seen settling, for longer than it
  // would take to settle.
  const auto begin = Clock::now();
  std::string rows;
  for (int row = 0; Clock::now() < begin + std::chrono::seconds(3); ++row) {
    const Json folders = home.rftctl({"ls", "--state", "settling"}).json;
    if (!folders.empty()) {
      EXPECT_EQ(folders[0]["id"], 0);
      EXPECT_THAT(folders[0]["reason"].get<std::string>(), HasSubstr("READY"));
    }
    rows += Json{{"input", "abc" + std::to_string(row)}, {"output", "letter"}}.dump() + "\n";
    write_text(home.incoming("slow") / "train.jsonl", rows);
  }
  EXPECT_EQ(home.rftctl({"ls", "--state", "settling"}).json.size(), 1u);
  write_text(
      home.incoming("slow") / "job.toml",
      "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  const int64_t id = home.job_of_folder("slow");
  home.await_state(id, "running");
  EXPECT_EQ(read_file(home.job_folder(id) / "input/train.jsonl"), rows);
}

// As people do it: cp -r, and watch right behind it, whatever had that name before.
TEST(CopiedFolder, CanBeWatchedAndExplainedWhileItSettles) {
  DaemonHome home("[intake]\nsettle_s = 2\n");
  home.start();
  write_text(home.staging("words") / "READY", "");
  const int64_t older = home.drop(home.staging("words"));
  home.await_state(older, "rejected");
  const std::string choices = cli::run_program(std::string(RFT_BIN_DIR) + "/rftctl",
                                               {"__complete", "--home", home.root().string(), "watch", ""})
                                  .output;
  EXPECT_EQ(choices, "1\twords, rejected\nwords\trejected\n");
  write_small_job(home.incoming("words"), {.epochs = 1});
  const Answer why = home.rftctl({"why", "words"});
  EXPECT_EQ(why.exit_code, 0) << why.errors;
  EXPECT_EQ(why.json["state"], "settling");
  const Answer watched = home.rftctl({"watch", "words"});
  EXPECT_EQ(watched.exit_code, 0) << watched.errors;
  EXPECT_EQ(watched.json["data"]["state"], "succeeded");
  EXPECT_GT(watched.json["data"]["id"], older);
}

TEST(Submit, CopiesTheFolderAndLeavesItWhereItIs) {
  DaemonHome home;
  home.start();
  const fs::path folder = write_small_job(home.staging("words"));
  const Answer answer = home.rftctl({"submit", folder.string()});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_EQ(read_file(home.job_folder(answer.json["id"]) / "input/job.toml"), small_job_toml());
  EXPECT_TRUE(fs::exists(folder / "job.toml"));
}

}  // namespace
}  // namespace rft::integration
