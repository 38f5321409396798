#include "jobs/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"
#include "jobs/job_home.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST_F(JobHome, RejectsAFolderWithoutJobToml) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "job.toml");
  EXPECT_THAT(rejection_of(folder), HasSubstr("no job.toml in the folder; add one"));
  EXPECT_EQ(read_file(root_ / "rejected/bad/train.jsonl"), kTrain);
  EXPECT_FALSE(fs::exists(root_ / "incoming/bad"));
}

TEST_F(JobHome, RejectsABadConfigurationWithFileLineAndMend) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[training]\nepoch = 2\n");
  EXPECT_EQ(rejection_of(folder), "job.toml:10: unknown key [training] epoch; did you mean epochs?\n");
}

TEST_F(JobHome, RejectsAMissingDataFile) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "train.jsonl");
  EXPECT_THAT(
      rejection_of(folder),
      HasSubstr("job.toml:4: [data] train = \"train.jsonl\": train.jsonl is not in the job folder; add it"));
}

TEST_F(JobHome, RejectsAMalformedLineWithItsNumber) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", std::string(kTrain) + "{\"input\": \n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("train.jsonl:4: "));
}

TEST_F(JobHome, RejectsARecordWithoutInput) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", std::string(kTrain) + "{\"task\": \"t\"}\n");
  const std::string reason = rejection_of(folder);
  EXPECT_THAT(reason, HasSubstr("train.jsonl:4: "));
  EXPECT_THAT(reason, HasSubstr("input"));
}

TEST_F(JobHome, RejectsAnEmptySplit) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", "\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("train.jsonl: no record in it"));
}

TEST_F(JobHome, RejectsASingleRecordThatShouldBeSplit) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", "{\"input\": \"a\"}\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("a validation split is to be cut from it"));
}

TEST_F(JobHome, RejectsMoreShotsThanTheTrainingSplitHasAnswersFor) {
  const fs::path folder = make_folder("bad");
  std::string toml = kJobToml;
  toml.insert(toml.find("train ="), "shots = 2\n");
  write_text(folder / "job.toml", toml);
  EXPECT_THAT(rejection_of(folder),
              HasSubstr("[data] shots = 2 needs 3 records of train.jsonl that have an "
                        "`output` and differ in their prompts; the training split has 2"));
}

TEST_F(JobHome, RejectsAnUnknownScorerAndAdapter) {
  fs::path folder = make_folder("bad");
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_mash\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("did you mean \"exact_match\"?"));
  EXPECT_THROW(jobs_->folder("bad"), Error) << "it has no log";
  folder = make_folder("worse");
  write_text(folder / "job.toml",
             "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\nadapter = "
             "\"jsonn\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("jsonn"));
}

TEST_F(JobHome, RejectsAScorerThatIsNoPlugin) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "scorer.so", "not an ELF file");
  write_text(folder / "job.toml",
             "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"scorer.so\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("scorer.so"));
}

TEST_F(JobHome, RejectsAMissingAndAnUnsupportedModel) {
  fs::path folder = make_folder("bad");
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tinny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("(which holds tiny) nor in the job folder"));
  folder = make_folder("worse");
  write_text(folder / "model/config.json", "{\"architectures\": [\"MambaForCausalLM\"]}");
  write_text(folder / "model/model.safetensors", read_file(root_ / "models/tiny/model.safetensors"));
  write_text(
      folder / "job.toml",
      "[model]\npath = \"model\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("cannot train it: architectures = MambaForCausalLM"));
}

TEST_F(JobHome, RejectsAModelThatLacksWhatAPromptNeeds) {
  const fs::path mute = make_folder("mute");
  write_text(mute / "job.toml", std::string(kJobToml) + "[rollout]\nmax_new_tokens = 256\n");
  EXPECT_THAT(rejection_of(mute),
              HasSubstr("job.toml:10: [rollout] max_new_tokens = 256 leaves a prompt no room "
                        "in the model's context of 256 tokens"));
  const fs::path spoken_to = make_folder("spoken-to");
  std::string with_system = kJobToml;
  with_system.insert(with_system.find("[scorer]"), "system = \"Be brief.\"\n");
  write_text(spoken_to / "job.toml", with_system);
  EXPECT_THAT(rejection_of(spoken_to), HasSubstr("job.toml:5: [data] system needs a chat template"));
  fs::remove(root_ / "models/tiny/tokenizer.json");
  write_text(root_ / "models/tiny/tokenizer.model", "");
  EXPECT_THAT(rejection_of(make_folder("wordless")),
              HasSubstr("has no tokenizer.json, only tokenizer.model; make one with: python"));
}

TEST_F(JobHome, RejectsAnEmptyOutputThatAWarmUpWouldLearn) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[warmup]\nepochs = 1\ndata = \"warmup.jsonl\"\n");
  write_text(folder / "warmup.jsonl",
             "{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"a\", \"output\": \"\"}\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("warmup.jsonl: record 2 has no `output`, or an empty one"));
}

TEST_F(JobHome, RejectsPathsThatLeadOut) {
  fs::path folder = make_folder("bad");
  write_text(temp_ / "made/outside.jsonl", kTrain);
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tiny\"\n[data]\ntrain = \"../outside.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("leads out of the job folder"));
  folder = make_folder("link");
  fs::create_symlink(temp_ / "made/outside.jsonl", folder / "extra.jsonl");
  EXPECT_THAT(rejection_of(folder), HasSubstr("extra.jsonl is a symbolic link"));
  EXPECT_TRUE(fs::is_symlink(root_ / "rejected/link/extra.jsonl"));  // untouched
  folder = make_folder("fifo");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(rejection_of(folder), HasSubstr("pipe is a FIFO"));
}

TEST_F(JobHome, DoesNotFollowALinkThatStandsWhereItsReasonGoes) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "job.toml");
  write_text(temp_ / "precious", "precious");
  fs::create_symlink(temp_ / "precious", folder / "REASON.txt");
  EXPECT_THAT(rejection_of(folder), HasSubstr("REASON.txt is a symbolic link"));
  EXPECT_EQ(read_file(temp_ / "precious"), "precious");
}

TEST_F(JobHome, RejectsAStrayFile) {
  write_text(temp_ / "made/stray.jsonl", "{}");
  drop(temp_ / "made/stray.jsonl");
  ASSERT_TRUE(run_until([&] { return fs::exists(root_ / "rejected/stray.jsonl/REASON.txt"); }));
  EXPECT_THAT(read_file(root_ / "rejected/stray.jsonl/REASON.txt"), HasSubstr("stray.jsonl is not a folder"));
  EXPECT_EQ(read_file(root_ / "rejected/stray.jsonl/stray.jsonl"), "{}");
}

TEST_F(JobHome, RejectsWhatTheMachineCanNeverGive) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[resources]\ncores = 4096\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("asks for 4096 cores"));
}

TEST_F(JobHome, RejectsMoreRanksThanTheMachineHasCores) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[resources]\nranks = 250\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("asks for 250 cores"));
}

TEST_F(JobHome, RejectsWhatCanNeverHaveItsMemoryWithTheNumbers) {
  const fs::path limited = make_folder("limited");
  write_text(limited / "job.toml", std::string(kJobToml) + "[resources]\nmemory_gb = 0.1\n");
  EXPECT_THAT(rejection_of(limited), HasSubstr("memory_gb = 0.1: it needs "));
  stop();
  config_.capacity.memory_gb = 0.1;
  start();
  const std::string reason = rejection_of(make_folder("large"));
  EXPECT_THAT(reason, HasSubstr(", and may take 100 MB"));
  EXPECT_THAT(reason, HasSubstr("process and data"));
}

TEST_F(JobHome, KeepsEarlierRejectionsOfTheSameName) {
  for (int i = 0; i < 2; ++i) {
    const fs::path folder = make_folder("bad");
    fs::remove(folder / "job.toml");
    drop(folder);
    ASSERT_TRUE(run_until(
        [&] { return jobs_->list({.states = {State::rejected}}).size() == static_cast<size_t>(i + 1); }));
  }
  EXPECT_TRUE(fs::exists(root_ / "rejected/bad/REASON.txt"));
  EXPECT_TRUE(fs::exists(root_ / "rejected/bad.2/REASON.txt"));
}

}  // namespace
}  // namespace rft::jobs
