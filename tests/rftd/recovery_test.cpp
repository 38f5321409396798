// kill -9 of the daemon at any moment: the next start finds every job, with its id, and continues it. The
// program is the real one; its workers are scripted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "base/subprocess.h"
#include "support/temp_dir.h"
#include "support/tiny_model_folder.h"
#include "support/write_text.h"

namespace rft::daemon {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kNumJobs = 12;

int number_of_kills() {
  const char* wanted = std::getenv("RFT_KILLS");  // the long suite sets more
  return wanted != nullptr ? std::atoi(wanted) : 12;
}

class KilledDaemon : public ::testing::Test {
 protected:
  KilledDaemon() {
    // The daemon looks for its workers beside its own file.
    fs::create_directories(programs_);
    fs::copy_file(fs::path(RFT_BIN_DIR) / "rftd", programs_ / "rftd");
    fs::create_symlink(fs::path(RFT_BIN_DIR) / "scripted_worker", programs_ / "rft-worker");
    fs::create_symlink(fs::path(RFT_BIN_DIR) / "rft-plugin-host", programs_ / "rft-plugin-host");
    fs::create_directory_symlink(fs::path(RFT_BIN_DIR).parent_path() / "plugins", temp_ / "plugins");
    fs::create_directories(home_ / "incoming");
    fs::permissions(home_, fs::perms::owner_all);
    write_tiny_model(home_ / "models/tiny");
    write_text(home_ / "rftd.toml",
               "[intake]\nsettle_s = 0.2\n[retry]\nfirst_delay_s = 0.05\n[worker]\nstop_timeout_s = 3\n");
  }
  Subprocess start() {
    ProcessOptions options;
    options.argv = {(programs_ / "rftd").string(), "--home", home_.string()};
    options.stderr_file = temp_ / "log";
    return Subprocess(options);
  }
  void drop(int number) {
    const fs::path folder = home_ / "incoming" / (".tmp-" + std::to_string(number));
    write_text(
        folder / "job.toml",
        "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n"
        "[retry]\nmax_attempts = 1000\n");
    write_text(folder / "train.jsonl",
               "{\"input\": \"a\", \"output\": \"x\"}\n{\"input\": \"b\", \"output\": \"y\"}\n");
    // Every third job's first worker is killed; all others take long enough to outlive a daemon.
    write_text(folder / "script", number % 3 == 0 ? "kill\nnap\n" : "nap\n");
    fs::rename(folder, home_ / "incoming" / ("job" + std::to_string(number)));
  }
  std::map<std::string, std::pair<int64_t, std::string>> jobs() const {
    std::map<std::string, std::pair<int64_t, std::string>> found;
    SQLite::Database database((home_ / "state.db").string(), SQLite::OPEN_READONLY, 5000);
    SQLite::Statement query(database, "SELECT name, id, state FROM jobs");
    while (query.executeStep()) {
      const auto [_, is_new] =
          found.emplace(query.getColumn(0).getString(),
                        std::pair(query.getColumn(1).getInt64(), query.getColumn(2).getString()));
      EXPECT_TRUE(is_new) << query.getColumn(0).getString() << " is there twice";
    }
    return found;
  }

  TempDir temp_;
  fs::path programs_ = temp_ / "bin";
  fs::path home_ = temp_ / "home";
};

// Whatever happened, an attempt starts only when the one before has ended: its lock is free.
void expect_one_attempt_at_a_time(const std::string& text, const std::string& job) {
  std::istringstream words(text);
  int64_t last = 0;
  std::string word;
  for (int64_t number = 0; words >> word >> number;) {
    if (word == "start") {
      EXPECT_GT(number, last) << job << " used attempt " << number << " twice";
      last = number;
    } else {
      EXPECT_EQ(number, last) << job << ": attempt " << number << " still spoke after attempt " << last
                              << " had started";
    }
  }
}

TEST_F(KilledDaemon, LosesDoublesAndRenumbersNothing) {
  std::mt19937 random(17);
  std::map<std::string, int64_t> ids;
  int dropped = 0;
  for (int round = 0; round < number_of_kills(); ++round) {
    Subprocess rftd = start();
    if (dropped < kNumJobs) drop(dropped++);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 700));
    rftd.signal(SIGKILL);
    ASSERT_TRUE(rftd.wait(5000));
    if (!fs::exists(home_ / "state.db")) continue;
    for (const auto& [name, job] : jobs())
      EXPECT_EQ(ids.emplace(name, job.first).first->second, job.first) << name;
  }
  while (dropped < kNumJobs) drop(dropped++);
  const Subprocess rftd = start();
  const auto all_succeeded = [&] {
    if (!fs::exists(home_ / "state.db")) return false;
    const auto found = jobs();
    return found.size() == kNumJobs && std::all_of(found.begin(), found.end(), [](const auto& job) {
             return job.second.second == "succeeded";
           });
  };
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!all_succeeded() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(all_succeeded()) << read_file(temp_ / "log");
  for (const auto& [name, job] : jobs()) {
    EXPECT_EQ(ids.emplace(name, job.first).first->second, job.first) << name;
    expect_one_attempt_at_a_time(
        read_file(home_ / "jobs" / (std::to_string(job.first) + "-" + name) / "attempts.txt"), name);
  }
  EXPECT_EQ(jobs().size(), static_cast<size_t>(kNumJobs));
  EXPECT_TRUE(fs::is_empty(home_ / "incoming"));
  EXPECT_TRUE(fs::is_empty(home_ / "rejected"));
}

}  // namespace
}  // namespace rft::daemon
