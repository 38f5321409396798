#include "rftd/home_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "support/temp_dir.h"

namespace rft::daemon {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string refusal(const fs::path& root) {
  try {
    hold_home(root);
  } catch (const Error& error) {
    return error.what();
  }
  return "held";
}

TEST(HeldHome, IsMadeWithModesThatKeepOthersOut) {
  const TempDir temp;
  const auto held = hold_home(temp / "deep/home");
  for (const auto& folder : {held.home.root, held.home.incoming(), held.home.jobs(), held.home.rejected(),
                             held.home.plugins(), held.home.models(), held.run_folder}) {
    struct stat info {};
    ASSERT_EQ(::stat(folder.c_str(), &info), 0) << folder;
    EXPECT_EQ(info.st_mode & 0027, 0U) << folder;
  }
}

TEST(HeldHome, HasOneDaemon) {
  const TempDir temp;
  {
    const auto held = hold_home(temp / "home");
    const pid_t other = ::fork();
    if (other == 0) ::_exit(refusal(temp / "home").find("another rftd serves") == std::string::npos ? 1 : 0);
    int status = -1;
    ::waitpid(other, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(refusal(temp / "home"), "held");
}

TEST(HeldHome, IsRefusedWhenOthersCanWriteToIt) {
  const TempDir temp;
  fs::create_directory(temp / "home");
  for (const auto bit : {fs::perms::group_write, fs::perms::others_write}) {
    fs::permissions(temp / "home", fs::perms::owner_all | bit);
    EXPECT_THAT(refusal(temp / "home"), HasSubstr("can be written by others")) << static_cast<int>(bit);
    EXPECT_TRUE(fs::is_empty(temp / "home"));
  }
}

TEST(HeldHome, IsRefusedWhenItIsAnotherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make another user's folder";
  const TempDir temp;
  fs::create_directory(temp / "home");
  ASSERT_EQ(::chown((temp / "home").c_str(), 12345, 12345), 0);
  EXPECT_THAT(refusal(temp / "home"), HasSubstr("belongs to user 12345"));
}

TEST(HeldHome, BindsElsewhereWhenItsPathIsTooLong) {
  const TempDir temp;
  const TempDir runtime;
  ::setenv("XDG_RUNTIME_DIR", runtime.path().c_str(), 1);
  const fs::path root = temp / std::string(100, 'x');
  const auto held = hold_home(root);
  EXPECT_EQ(held.run_folder.parent_path(), runtime.path());
  EXPECT_LE((held.run_folder / "control.sock").string().size(), 107U);
  EXPECT_EQ(fs::read_symlink(root / "run"), held.run_folder);
  ::unsetenv("XDG_RUNTIME_DIR");
}

}  // namespace
}  // namespace rft::daemon
