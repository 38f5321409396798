#include "plugins/pin_store.h"

#include <sys/stat.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/sha256.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

TEST(PinStore, KeepsTheBytesWhateverHappensToTheFile) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  const fs::path file = folder.write("a.py", "first");
  const PinnedPlugin pinned = store.pin(file);
  EXPECT_EQ(pinned.digest, sha256("first"));
  EXPECT_EQ(pinned.path, folder.path() / ".store" / pinned.digest / "plugin.py");
  folder.write("a.py", "second");
  fs::resize_file(file, 0);
  fs::remove(file);
  EXPECT_EQ(read_file(pinned.path), "first");
  EXPECT_NO_THROW(store.verify(pinned));
}

TEST(PinStore, TheSameBytesAreOneCopy) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  EXPECT_EQ(store.pin(folder.write("a.py", "x")).path, store.pin(folder.write("b.py", "x")).path);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / ".store"), {}), 1);
}

TEST(PinStore, WritesNothingForBytesThatItHas) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  const fs::path file = folder.write("a.py", "x");
  const auto written = [&] {
    struct stat info {};
    EXPECT_EQ(::stat(store.pin(file).path.c_str(), &info), 0);
    return info.st_ino;
  };
  const auto first = written();
  const auto touched = fs::last_write_time(folder.path() / ".store");
  EXPECT_EQ(written(), first);
  EXPECT_EQ(fs::last_write_time(folder.path() / ".store"), touched);
}

TEST(PinStore, RefusesWhatIsNoRegularFile) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  fs::create_symlink("/etc/passwd", folder.path() / "link.py");
  ASSERT_EQ(::mkfifo((folder.path() / "fifo.py").c_str(), 0600), 0);
  for (const char* name : {"link.py", "fifo.py", "."})
    EXPECT_THROW(store.pin(folder.path() / name), Error) << name;
  EXPECT_THROW(store.pin(folder.path() / "absent.py"), Error);
  EXPECT_TRUE(fs::is_empty(folder.path() / ".store"));
}

TEST(PinStore, NoticesADamagedCopy) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  const fs::path file = folder.write("a.py", "first");
  const PinnedPlugin pinned = store.pin(file);
  fs::permissions(pinned.path, fs::perms::owner_all);
  std::ofstream(pinned.path) << "other";
  EXPECT_THROW(store.verify(pinned), Error);
  store.pin(file);
  EXPECT_NO_THROW(store.verify(pinned));
  fs::remove(pinned.path);
  EXPECT_THROW(store.verify(pinned), Error);
}

// A file that is written over again and again while it is pinned: every copy has the digest it is named by.
TEST(PinStore, HashesTheCopyAndNotTheFile) {
  const TemporaryFolder folder;
  const PinStore store(folder.path() / ".store");
  folder.write("a.py", std::string(1 << 20, 'a'));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    std::fstream file(folder.path() / "a.py", std::ios::in | std::ios::out | std::ios::binary);
    for (char c = 'a'; !done; c = c == 'z' ? 'a' : static_cast<char>(c + 1))
      file.seekp(0).write(std::string(1 << 20, c).data(), 1 << 20).flush();
  });
  std::set<std::string> digests;
  for (int i = 0; i < 30; ++i) {
    const PinnedPlugin pinned = store.pin(folder.path() / "a.py");
    EXPECT_EQ(sha256_file(pinned.path), pinned.digest);
    digests.insert(pinned.digest);
  }
  done = true;
  writer.join();
  EXPECT_GT(digests.size(), 1u) << "nothing was written meanwhile";
}

}  // namespace
}  // namespace rft::plugins
