// The program itself, in a home of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::daemon {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

class Program : public ::testing::Test {
 protected:
  // A service manager's socket.
  Program() : manager_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, notify_socket_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(manager_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval patience{10, 0};
    ::setsockopt(manager_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Subprocess start() {
    ProcessOptions options;
    options.argv = {std::string(RFT_BIN_DIR) + "/rftd", "--home", home_.string()};
    options.environment = {{"NOTIFY_SOCKET", notify_socket_.string()}};
    options.stderr_file = temp_ / "log";
    return Subprocess(options);
  }
  std::string next_notification() {
    char buffer[256];
    const ssize_t got = ::recv(manager_.get(), buffer, sizeof buffer, 0);
    return got < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(got));
  }

  TempDir temp_;
  fs::path home_ = temp_ / "home";
  fs::path notify_socket_ = temp_ / "notify";
  UniqueFd manager_;
};

TEST_F(Program, IsReadySoonAndEndsOnSigterm) {
  const auto before = Clock::now();
  Subprocess rftd = start();
  EXPECT_EQ(next_notification(), "READY=1");
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(1));
  EXPECT_TRUE(fs::exists(home_ / "run/control.sock"));
  EXPECT_TRUE(fs::exists(home_ / "run/worker.sock"));
  rftd.signal(SIGTERM);
  EXPECT_EQ(next_notification(), "STOPPING=1");
  const auto status = rftd.wait(2000);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 0);
}

// One that came in the middle of a call of ZeroMQ ended the daemon with an error.
TEST_F(Program, HoldsTheSignalsThatStopIt) {
  const Subprocess rftd = start();
  next_notification();
  const std::string status = read_file("/proc/" + std::to_string(rftd.pid()) + "/status");
  const auto blocked = std::stoull(status.substr(status.find("SigBlk:") + 7), nullptr, 16);
  for (const int signal : {SIGTERM, SIGINT}) EXPECT_TRUE(blocked & (1ull << (signal - 1))) << signal;
}

TEST_F(Program, LogsOneJsonObjectALineOutsideATerminal) {
  Subprocess rftd = start();
  next_notification();
  rftd.signal(SIGTERM);
  const auto status = rftd.wait(2000);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 0) << read_file(temp_ / "log");
  std::ifstream log(temp_ / "log");
  std::string line;
  int num_lines = 0;
  for (; std::getline(log, line); ++num_lines) {
    const Json entry = parse_json(line, "a line of the log");
    EXPECT_TRUE(entry.contains("time") && entry.contains("level") && entry.contains("message")) << line;
  }
  EXPECT_GE(num_lines, 2);
}

TEST_F(Program, LeavesAHomeThatAnotherOneServes) {
  Subprocess first = start();
  ASSERT_EQ(next_notification(), "READY=1");
  Subprocess second = start();
  const auto status = second.wait(5000);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 1);
  EXPECT_THAT(read_file(temp_ / "log"), HasSubstr("another rftd serves"));
  EXPECT_FALSE(first.wait(0));
}

TEST_F(Program, RefusesABadConfigurationWithItsLine) {
  fs::create_directories(home_);
  fs::permissions(home_, fs::perms::owner_all);
  write_text(home_ / "rftd.toml", "[intake]\nsettle = 1\n");
  Subprocess rftd = start();
  const auto status = rftd.wait(5000);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 1);
  EXPECT_THAT(read_file(temp_ / "log"),
              HasSubstr("rftd.toml:2: unknown key [intake] settle; did you mean settle_s?"));
}

TEST_F(Program, StaysSmallAndStillWhenIdle) {
  Subprocess rftd = start();
  ASSERT_EQ(next_notification(), "READY=1");
  const auto proc = "/proc/" + std::to_string(rftd.pid());
  const auto ticks = [&] {
    std::istringstream stat(read_file(proc + "/stat"));
    std::string field;
    int64_t sum = 0;
    for (int index = 1; stat >> field && index <= 15; ++index)
      if (index >= 14) sum += std::stoll(field);
    return sum;
  };
  const int64_t before = ticks();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LE(ticks() - before, 1);  // of 100 in a second
#ifndef __SANITIZE_ADDRESS__       // whose own memory is more than that
  std::istringstream status(read_file(proc + "/status"));
  int64_t resident_kb = -1;
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) resident_kb = std::stoll(line.substr(6));
  EXPECT_GT(resident_kb, 0);
  EXPECT_LT(resident_kb, 20 * 1024);
#endif
}

}  // namespace
}  // namespace rft::daemon
