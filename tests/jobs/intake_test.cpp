#include "jobs/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <thread>

#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr double kSettleS = 0.3;

class Incoming : public ::testing::Test {
 protected:
  Incoming() { fs::create_directory(incoming_); }
  ~Incoming() override {
    intake_.reset();
    pool_.join();
  }
  void start() {
    intake_.emplace(io_, pool_, incoming_, kSettleS,
                    Intake::Events{[this](const FolderIdentity& identity) { return identity == taken_; },
                                   [this](const std::vector<Arrival>& arrivals) {
                                     for (const auto& arrival : arrivals)
                                       arrived_.push_back(arrival.path.filename());
                                   }});
    intake_->start();
  }
  // Runs the loop for so long, or until the condition holds.
  void run_for(
      std::chrono::milliseconds time, const std::function<bool()>& until = [] { return false; }) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!until() && std::chrono::steady_clock::now() < end) io_.run_one_for(10ms);
  }
  void run_until_arrived(size_t count) {
    run_for(5s, [&] { return arrived_.size() >= count; });
  }
  std::vector<std::string> settling() const {
    std::vector<std::string> names;
    for (const auto& folder : intake_->settling()) names.push_back(folder.path.filename());
    return names;
  }

  TempDir temp_;
  fs::path incoming_ = temp_ / "incoming";
  boost::asio::io_context io_;
  boost::asio::thread_pool pool_{2};
  std::optional<Intake> intake_;
  FolderIdentity taken_;
  std::vector<std::string> arrived_;
};

TEST_F(Incoming, TakesAFolderThatARenameBroughtAtOnce) {
  start();
  run_for(50ms);
  write_text(incoming_ / ".tmp-a/job.toml", "");
  fs::rename(incoming_ / ".tmp-a", incoming_ / "a");
  run_for(std::chrono::milliseconds(int(kSettleS * 900)), [&] { return !arrived_.empty(); });
  EXPECT_THAT(arrived_, ElementsAre("a"));
}

TEST_F(Incoming, PassesOverWhatIsStillBeingBuilt) {
  write_text(incoming_ / ".tmp-a/READY", "");
  start();
  run_for(600ms);
  EXPECT_THAT(arrived_, IsEmpty());
  EXPECT_THAT(settling(), IsEmpty());
}

TEST_F(Incoming, TakesAFolderWithAReadyFileAtOnce) {
  start();
  write_text(incoming_ / "a/job.toml", "");
  run_for(150ms, [&] { return !settling().empty(); });
  EXPECT_THAT(settling(), ElementsAre("a"));
  write_text(incoming_ / "a/READY", "");
  const auto before = std::chrono::steady_clock::now();
  run_until_arrived(1);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 180ms);
  EXPECT_THAT(arrived_, ElementsAre("a"));
}

TEST_F(Incoming, TakesAFolderOnceNothingInItChanges) {
  write_text(incoming_ / "a/job.toml", "");
  const auto before = std::chrono::steady_clock::now();
  start();
  run_until_arrived(1);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::duration<double>(kSettleS));
  EXPECT_THAT(arrived_, ElementsAre("a"));
}

TEST_F(Incoming, ShowsASlowCopyAsSettling) {
  start();
  for (int i = 0; i < 8; ++i) {
    write_text(incoming_ / "a/data/part", std::string(static_cast<size_t>(i) + 1, 'x'));
    run_for(150ms);
    EXPECT_THAT(arrived_, IsEmpty()) << i;
    EXPECT_THAT(settling(), ElementsAre("a"));
  }
  run_until_arrived(1);
  EXPECT_THAT(arrived_, ElementsAre("a"));
}

TEST_F(Incoming, DoesNotHandAFolderOverTwice) {
  write_text(incoming_ / "a/READY", "");
  start();
  run_until_arrived(1);
  run_for(500ms);
  EXPECT_THAT(arrived_, ElementsAre("a"));
  intake_->release(incoming_ / "a");
  run_until_arrived(2);
  EXPECT_THAT(arrived_, ElementsAre("a", "a"));
}

TEST_F(Incoming, LeavesAFolderThatAJobWasMadeOfAlready) {
  write_text(incoming_ / "a/READY", "");
  taken_ = folder_info(incoming_ / "a")->identity;
  start();
  run_for(600ms);
  EXPECT_THAT(arrived_, IsEmpty());
  EXPECT_THAT(settling(), IsEmpty());
  write_text(incoming_ / "a/more", "");  // dropped again with something new
  run_until_arrived(1);
  EXPECT_THAT(arrived_, ElementsAre("a"));
}

TEST_F(Incoming, TakesWhatWasDroppedWhileNobodyWatched) {
  for (int i = 0; i < 200; ++i) write_text(incoming_ / std::to_string(i) / "READY", "");
  start();
  run_until_arrived(200);
  EXPECT_EQ(arrived_.size(), 200U);
}

TEST_F(Incoming, HandsOverWhatIsNoFolderToo) {
  ASSERT_EQ(::mkfifo((incoming_ / "fifo").c_str(), 0600), 0);
  write_text(incoming_ / "stray.jsonl", "{}");
  start();
  run_until_arrived(2);
  EXPECT_THAT(arrived_, UnorderedElementsAre("fifo", "stray.jsonl"));
}

TEST_F(Incoming, SeesADropAfterTheFirstScan) {
  start();
  run_for(200ms);
  write_text(incoming_ / "late/job.toml", "");
  run_until_arrived(1);
  EXPECT_THAT(arrived_, ElementsAre("late"));
}

}  // namespace
}  // namespace rft::jobs
