#include "jobs/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "no error";
}

class JobFolder : public ::testing::Test {
 protected:
  JobFolder() {
    write_text(source_ / "job.toml", "name = \"x\"\n");
    write_text(source_ / "data/train.jsonl", "{}\n");
    write_text(temp_ / "secret", "secret");
  }
  std::string copy_error(const CopyLimits& limits = {}) {
    return error_of([&] { copy_folder(source_, temp_ / "copy", limits); });
  }

  TempDir temp_;
  fs::path source_ = temp_ / "source";
};

TEST_F(JobFolder, IsCopiedWithItsFoldersModesAndTimes) {
  fs::permissions(source_ / "job.toml", fs::perms::owner_all);
  copy_folder(source_, temp_ / "copy", {});
  EXPECT_EQ(read_file(temp_ / "copy/job.toml"), "name = \"x\"\n");
  EXPECT_EQ(read_file(temp_ / "copy/data/train.jsonl"), "{}\n");
  EXPECT_EQ(fs::status(temp_ / "copy/job.toml").permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::last_write_time(temp_ / "copy/job.toml"), fs::last_write_time(source_ / "job.toml"));
}

TEST_F(JobFolder, IsCopiedSoThatAWriterOfTheSourceDoesNotReachTheCopy) {
  copy_folder(source_, temp_ / "copy", {});
  write_text(source_ / "job.toml", "name = \"y\"\n");
  EXPECT_EQ(read_file(temp_ / "copy/job.toml"), "name = \"x\"\n");
}

TEST_F(JobFolder, MayHoldNoSymbolicLink) {
  fs::create_symlink(temp_ / "secret", source_ / "data/link.jsonl");
  EXPECT_EQ(copy_error(),
            "invalid_argument: data/link.jsonl is a symbolic link; put the file itself in its place");
  EXPECT_FALSE(fs::exists(temp_ / "copy/data/link.jsonl"));
}

TEST_F(JobFolder, MayHoldNoLinkToAFolder) {
  fs::create_directory_symlink(temp_.path(), source_ / "up");
  EXPECT_THAT(copy_error(), HasSubstr("up is a symbolic link"));
}

TEST_F(JobFolder, DoesNotBlockOnAFifo) {
  ASSERT_EQ(::mkfifo((source_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(copy_error(), HasSubstr("fifo is a FIFO, a socket or a device"));
  EXPECT_NO_THROW(fingerprint(source_));
}

TEST_F(JobFolder, MayHoldNoHardLinkToSomebodyElsesFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make another user's file";
  ASSERT_EQ(::chown((temp_ / "secret").c_str(), 12345, 12345), 0);
  fs::create_hard_link(temp_ / "secret", source_ / "mine");
  EXPECT_THAT(copy_error(), HasSubstr("mine is a hard link to somebody else's file"));
}

TEST_F(JobFolder, MayHoldAHardLinkToAFileOfItsOwner) {
  fs::create_hard_link(temp_ / "secret", source_ / "mine");
  EXPECT_EQ(copy_error(), "no error");
}

TEST_F(JobFolder, IsBoundedInFilesBytesAndDepth) {
  EXPECT_THAT(copy_error({.max_bytes = 1 << 20, .max_files = 2}),
              HasSubstr("one file too many: a job folder may hold 2"));
  fs::remove_all(temp_ / "copy");
  write_text(source_ / "big", std::string(3 << 20, 'x'));
  EXPECT_THAT(copy_error({.max_bytes = 1 << 20, .max_files = 100}), HasSubstr("big goes beyond the 1 MB"));
  fs::remove_all(temp_ / "copy");
  fs::path deep = source_;
  for (int i = 0; i < 40; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_THAT(copy_error(), HasSubstr("nested deeper"));
}

TEST_F(JobFolder, IsOpenedBeneathOnly) {
  EXPECT_TRUE(open_beneath(source_, "data/train.jsonl"));
  EXPECT_THAT(error_of([&] { open_beneath(source_, "../secret"); }),
              HasSubstr("../secret leads out of the job folder"));
  EXPECT_THAT(error_of([&] { open_beneath(source_, "data/../../secret"); }),
              HasSubstr("leads out of the job folder"));
  EXPECT_THAT(error_of([&] { open_beneath(source_, temp_ / "secret"); }), HasSubstr("is an absolute path"));
  EXPECT_THAT(error_of([&] { open_beneath(source_, "data"); }), HasSubstr("is not a file"));
  EXPECT_THAT(error_of([&] { open_beneath(source_, "test.jsonl"); }),
              HasSubstr("test.jsonl is not in the job folder"));
  fs::create_symlink(temp_ / "secret", source_ / "link");
  EXPECT_THAT(error_of([&] { open_beneath(source_, "link"); }), HasSubstr("leads out of the job folder"));
}

TEST_F(JobFolder, HasAnotherFingerprintAfterEveryKindOfChange) {
  auto before = fingerprint(source_);
  EXPECT_EQ(fingerprint(source_), before);
  const auto changed = [&](const char* what) {
    const auto now = fingerprint(source_);
    EXPECT_NE(now, before) << what;
    before = now;
  };
  write_text(source_ / "data/new", "");
  changed("a new file");
  write_text(source_ / "data/new", "longer");
  changed("a longer file");
  write_text(source_ / "data/new", "others");
  changed("other bytes of the same length");
  fs::rename(source_ / "data/new", source_ / "data/renamed");
  changed("a renamed file");
  fs::remove(source_ / "data/renamed");
  changed("a removed file");
  EXPECT_FALSE(before.has_ready);
  write_text(source_ / "READY", "");
  EXPECT_TRUE(fingerprint(source_).has_ready);
}

TEST_F(JobFolder, IsHeldToItsManifest) {
  const std::string text = manifest(source_);
  EXPECT_THAT(
      text,
      HasSubstr("ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356  data/train.jsonl\n"));
  EXPECT_NO_THROW(verify_manifest(source_, text, {""}));
  write_text(source_ / "data/train.jsonl", "{ }\n");
  EXPECT_THAT(error_of([&] { verify_manifest(source_, text, {"data/"}); }),
              HasSubstr("train.jsonl is not what the job was admitted with"));
  EXPECT_NO_THROW(verify_manifest(source_, text, {"job.toml"}));
  fs::remove(source_ / "data/train.jsonl");
  EXPECT_THAT(error_of([&] { verify_manifest(source_, text, {"data/"}); }), HasSubstr("is gone"));
}

}  // namespace
}  // namespace rft::jobs
