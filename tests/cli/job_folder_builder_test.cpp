#include "cli/job_folder_builder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::cli {
namespace {

JobFiles files_in(const TempDir& dir) {
  write_text(dir / "train.jsonl", "{\"input\":\"a\"}\n");
  write_text(dir / "valid.jsonl", "{\"input\":\"b\"}\n");
  write_text(dir / "scorer.py", "def score(sample): return 1\n");
  JobFiles files;
  files.train = dir / "train.jsonl";
  files.validation = dir / "valid.jsonl";
  files.model = "tiny";
  files.scorer = dir / "scorer.py";
  return files;
}

TEST(JobFolderBuilder, WritesWhatTheOptionsSay) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  files.name = "my job";
  files.learning_rate = 5e-5;
  files.epochs = 4;
  files.settings = {"ppo.kl_coef=0.1", "rollout.max_new_tokens=16", "training.epochs=2"};
  EXPECT_EQ(job_toml(files),
            "name = \"my-job\"\n"
            "\n[model]\npath = \"tiny\"\n"
            "\n[data]\ntrain = \"train.jsonl\"\nvalidation = \"valid.jsonl\"\n"
            "\n[scorer]\nplugin = \"scorer.py\"\n"
            "\n[training]\nepochs = 2\nlearning_rate = 5e-05\n"
            "\n[ppo]\nkl_coef = 0.1\n"
            "\n[rollout]\nmax_new_tokens = 16\n");
}

TEST(JobFolderBuilder, AFolderIsAModelByItsAbsolutePathAndANameStaysAName) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  std::filesystem::create_directory(dir / "model \"x\"");
  files.model = dir / "model \"x\"";
  EXPECT_NE(job_toml(files).find("path = \"" + dir.path().string() + "/model \\\"x\\\"\"\n"),
            std::string::npos);
  files.scorer = "exact_match";
  EXPECT_NE(job_toml(files).find("plugin = \"exact_match\"\n"), std::string::npos);
}

TEST(JobFolderBuilder, CopiesItsFilesWithTheirModes) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  files.scorer = write_text(dir / "bin/scorer", "#!/bin/sh\n");
  ::chmod(files.scorer.c_str(), 0755);
  build_job_folder(files, dir / "job");
  EXPECT_EQ(read_file(dir / "job/train.jsonl"), "{\"input\":\"a\"}\n");
  EXPECT_EQ(read_file(dir / "job/job.toml"), job_toml(files));
  struct stat status {};
  ASSERT_EQ(::stat((dir / "job/scorer").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755u);
}

TEST(JobFolderBuilder, NamesTheOptionWhoseFileIsMissing) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  files.scorer = "nowhere.py";
  try {
    build_job_folder(files, dir / "job");
    FAIL() << "built a job without its scorer";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.field(), "--reward-model");
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "job"));
}

TEST(JobFolderBuilder, TwoFilesOfOneNameAreRefusedUnlessTheyAreOne) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  files.validation = files.train;
  EXPECT_NO_THROW(build_job_folder(files, dir / "same"));
  files.validation = write_text(dir / "other/train.jsonl", "{\"input\":\"c\"}\n");
  EXPECT_THROW(build_job_folder(files, dir / "clash"), Error);
}

TEST(JobFolderBuilder, ASettingNeedsASectionAKeyAndAValue) {
  const TempDir dir;
  JobFiles files = files_in(dir);
  for (const char* wrong : {"kl_coef=0.1", "ppo.kl_coef", ".x=1", "ppo.=1", "ppo.a=1\n[scorer]"}) {
    files.settings = {wrong};
    EXPECT_THROW(job_toml(files), Error) << wrong;
  }
}

TEST(JobFolderBuilder, AJobIsNamedAfterItsTrainingFile) {
  JobFiles files;
  files.train = "/data/fraud cases.v2.jsonl";
  EXPECT_EQ(job_name(files), "fraud-cases-v2");
}

}  // namespace
}  // namespace rft::cli
