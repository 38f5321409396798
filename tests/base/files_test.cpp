#include "base/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "support/temp_dir.h"

namespace rft {
namespace {

namespace fs = std::filesystem;

TEST(WriteFileAtomically, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const TempDir dir;
  write_file_atomically(dir / "a.txt", "a longer first text");
  write_file_atomically(dir / "a.txt", "second");
  EXPECT_EQ(read_file(dir / "a.txt"), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(WriteFileAtomically, KeepsTheOldFileWhereTheNewCannotBeWritten) {
  const TempDir dir;
  write_file_atomically(dir / "a.txt", "first");
  fs::create_directory(dir / ".a.txt.tmp");  // where the new one would be written
  EXPECT_THROW(write_file_atomically(dir / "a.txt", "second"), Error);
  EXPECT_EQ(read_file(dir / "a.txt"), "first");
}

TEST(PublishFolder, MovesWholeFoldersAndNeverOverOne) {
  const TempDir dir;
  fs::create_directories(dir / "new/sub");
  std::ofstream(dir / "new/sub/file") << "x";
  publish_folder(dir / "new", dir / "done");
  EXPECT_EQ(read_file(dir / "done/sub/file"), "x");
  EXPECT_FALSE(fs::exists(dir / "new"));
  fs::create_directory(dir / "other");
  EXPECT_THROW(publish_folder(dir / "other", dir / "done"), Error);
  EXPECT_TRUE(fs::exists(dir / "other"));
}

// A process that holds the lock and has a child which has not executed anything yet, and what stops both.
TEST(LockFile, OfAProcessIsNotHeldByItsChildren) {
  const TempDir dir;
  int held[2], over[2];
  ASSERT_EQ(::pipe(held), 0);
  ASSERT_EQ(::pipe(over), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const UniqueFd lock = try_lock_file_for_process(dir / "lock");
    char byte = lock ? 'y' : 'n';
    if (::fork() == 0) {
      ::close(over[1]);
      if (::write(held[1], &byte, 1) == 1 && ::read(over[0], &byte, 1) == 0) ::_exit(0);
      ::_exit(1);
    }
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(held[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  EXPECT_FALSE(try_lock_file_for_process(dir / "lock"));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_TRUE(try_lock_file_for_process(dir / "lock")) << "though its child lives";
  ::close(over[1]);
}

TEST(LockFile, IsHeldByOneAtATimeAndFreedWithItsOwner) {
  const TempDir dir;
  UniqueFd first = try_lock_file(dir / "lock");
  EXPECT_TRUE(first);
  EXPECT_FALSE(try_lock_file(dir / "lock"));
  first.reset();
  EXPECT_TRUE(try_lock_file(dir / "lock"));
}

TEST(AppendFile, GoesOnWhereASavedLengthEnds) {
  const TempDir dir;
  uint64_t saved = 0;
  {
    AppendFile file(dir / "log.jsonl");
    file.append_line("one");
    saved = file.sync();
    file.append_line("two, never saved");
  }
  AppendFile file(dir / "log.jsonl");
  file.cut_to(saved);
  file.append_line("2");
  EXPECT_EQ(read_file(dir / "log.jsonl"), "one\n2\n");
  EXPECT_EQ(file.length(), 6u);
}

}  // namespace
}  // namespace rft
