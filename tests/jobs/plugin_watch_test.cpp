#include "jobs/plugin_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/files.h"
#include "base/sha256.h"
#include "jobs/job_home.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kGrader = "def grade(sample, item): return 1.0\n";
constexpr const char* kOtherGrader = "def grade(sample, item): return 0.5\n";
constexpr const char* kWaitsForGrader = "waits for the plugin \"grader\"";

class Plugins : public JobHome {
 protected:
  Plugins() {
    stop();
    config_.plugins.trusted = {"*"};
  }
  void start_with_settle_s(double settle_s) {
    config_.intake.settle_s = settle_s;
    start();
  }
  fs::path make_folder_with(const std::string& key, const std::string& plugin) {
    const fs::path folder = make_folder("mine");
    std::string toml = kJobToml;
    if (key == "scorer") toml.replace(toml.find("exact_match"), std::strlen("exact_match"), plugin);
    if (key == "adapter") toml.insert(toml.find("[scorer]"), "adapter = \"" + plugin + "\"\n");
    write_text(folder / "job.toml", toml);
    return folder;
  }
  // Drops the plugin, and before it has settled a job that names it.
  std::string submit_with_new_grader(const std::string& key) {
    write_text(root_ / "plugins/grader.py", kGrader);
    return submit(make_folder_with(key, "grader"));
  }
};

TEST_F(Plugins, AJobWaitsForTheNewBytesOfTheOneThatItNames) {
  write_text(root_ / "plugins/grader.py", kGrader);
  start_with_settle_s(0.3);
  ASSERT_TRUE(run_until_plugin("grader", "ready"));
  write_text(root_ / "plugins/grader.py", kOtherGrader);
  const std::string id = submit(make_folder_with("scorer", "grader"));
  ASSERT_TRUE(run_until_state(id, State::succeeded)) << jobs_->get(id).reason;
  EXPECT_THAT(reasons_published(id, "checking"), Contains(HasSubstr(kWaitsForGrader)));
  EXPECT_THAT(jobs_->plan(id), HasSubstr(sha256(kOtherGrader)));
}

TEST_F(Plugins, AJobWaitsForANewScorer) {
  start_with_settle_s(0.3);
  const std::string id = submit_with_new_grader("scorer");
  ASSERT_TRUE(run_until_state(id, State::succeeded)) << jobs_->get(id).reason;
  EXPECT_THAT(reasons_published(id, "checking"), Contains(HasSubstr(kWaitsForGrader)));
}

TEST_F(Plugins, AJobWaitsForANewAdapter) {
  start_with_settle_s(0.3);
  const std::string id = submit_with_new_grader("adapter");
  ASSERT_TRUE(run_until_state(id, State::rejected)) << jobs_->get(id).reason;
  EXPECT_THAT(reasons_published(id, "checking"), Contains(HasSubstr(kWaitsForGrader)));
  EXPECT_THAT(jobs_->get(id).reason, HasSubstr("is a scorer, and a dataset-adapter is wanted"));
}

TEST_F(Plugins, AJobThatIsCancelledWaitsNoMore) {
  start_with_settle_s(0.3);
  const std::string id = submit_with_new_grader("scorer");
  ASSERT_TRUE(run_until([&] { return jobs_->get(id).reason.find(kWaitsForGrader) == 0; }));
  answer_to([&](Jobs::Done done) { jobs_->cancel(id, "", done); });
  ASSERT_TRUE(run_until_plugin("grader", "ready"));
  EXPECT_EQ(jobs_->get(id).state, State::cancelled);
}

TEST_F(Plugins, AnAdmissionThatBeginsAnewListsOnlyWhatItMade) {
  start_with_settle_s(3600);
  const std::string id = submit_with_new_grader("scorer");
  ASSERT_TRUE(run_until([&] { return jobs_->get(id).reason.find(kWaitsForGrader) == 0; }));
  write_text(folder_of(id) / "memory.json", "{}");  // as one leaves it that a crash breaks off at its end
  stop();
  start_with_settle_s(0.3);
  ASSERT_TRUE(run_until_state(id, State::succeeded)) << jobs_->get(id).reason;
  EXPECT_THAT(read_file(folder_of(id) / "manifest.sha256"), ::testing::Not(HasSubstr("memory.json")));
}

TEST_F(Plugins, OneThatARenameBringsIsTakenAtOnce) {
  start_with_settle_s(3600);
  write_text(root_ / "plugins/.new", kGrader);
  fs::rename(root_ / "plugins/.new", root_ / "plugins/grader.py");
  const std::string id = submit(make_folder_with("scorer", "grader"));
  ASSERT_TRUE(run_until_state(id, State::succeeded)) << jobs_->get(id).reason;
}

}  // namespace
}  // namespace rft::jobs
