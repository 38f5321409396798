#include "jobs/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Job checked(const std::string& name) {
  Job job;
  job.name = name;
  job.status = Checking{"looked at"};
  job.source = "/incoming/" + name;
  job.identity = {8, 4711, 1234567890123};
  return job;
}

class StoreFile : public ::testing::Test {
 protected:
  int64_t add(const std::string& name, const std::string& mutation = "") {
    std::vector<Job> jobs = {checked(name)};
    store_->add(jobs, mutation);
    return jobs.front().id;
  }
  void move_to(int64_t id, const Status& status) {
    Job job = *store_->find(id);
    job.status = status;
    store_->update(job);
  }
  void reopen() {
    store_.reset();
    store_.emplace(file());
  }
  std::filesystem::path file() const { return folder_ / "state.db"; }

  TempDir folder_;
  std::optional<Store> store_{std::in_place, folder_ / "state.db"};
};

TEST_F(StoreFile, KeepsEveryMemberAcrossAReopen) {
  std::vector<Job> jobs = {checked("fraud")};
  Job& job = jobs.front();
  job.owner = 1000;
  job.cores = 2;
  job.gpus = 1;
  job.keep_source = true;
  job.validation = {{"base/validation", {{"value", 0.5}}}};
  job.created_at = SystemTime(std::chrono::milliseconds(1767225600125));
  store_->add(jobs);
  job.status = Queued{"waits"};
  job.attempt = 3;
  job.manifest_digest = "abc";
  job.swaps.state = SwapState::taken;
  job.swaps.last = {2, "strict.py", {{"bonus", 1}}, {{"", {{"digest", "def"}}}}, false};
  job.swaps.in_use = job.swaps.last;
  job.swaps.iteration = 7;
  store_->update(job);
  reopen();
  const Job back = *store_->find(job.id);
  EXPECT_EQ(back.name, "fraud");
  EXPECT_EQ(reason_of(back.status), "waits");
  EXPECT_EQ(back.owner, 1000);
  EXPECT_EQ(back.attempt, 3);
  EXPECT_EQ(back.cores, 2);
  EXPECT_EQ(back.gpus, 1);
  EXPECT_TRUE(back.keep_source);
  EXPECT_EQ(back.source, "/incoming/fraud");
  EXPECT_EQ(back.identity, job.identity);
  EXPECT_EQ(back.manifest_digest, "abc");
  EXPECT_EQ(back.validation, job.validation);
  EXPECT_EQ(to_json(back.swaps), to_json(job.swaps));
  EXPECT_EQ(back.created_at, job.created_at);
}

TEST_F(StoreFile, NeverGivesAnIdTwice) {
  const int64_t first = add("a");
  const int64_t second = add("b");
  EXPECT_GT(second, first);
  {
    SQLite::Database outside(file().string(), SQLite::OPEN_READWRITE);
    outside.exec("DELETE FROM jobs");
  }
  reopen();
  EXPECT_GT(add("c"), second);
}

TEST_F(StoreFile, RefusesIllegalTransitionsAndChangesNothing) {
  const int64_t id = add("a");
  EXPECT_THROW(move_to(id, Running{}), Error);
  EXPECT_EQ(state_of(store_->find(id)->status), State::checking);
  move_to(id, Queued{"waits"});
  move_to(id, Running{});
  move_to(id, Succeeded{});
  EXPECT_THROW(move_to(id, Queued{"again"}), Error);
  EXPECT_EQ(state_of(store_->find(id)->status), State::succeeded);
}

TEST_F(StoreFile, WritesEachTransitionIntoTheHistory) {
  const int64_t id = add("a");
  move_to(id, Queued{"waits"});
  move_to(id, Queued{"still waits"});  // no transition
  move_to(id, Running{});
  std::vector<State> states;
  for (const auto& entry : store_->history(id)) states.push_back(entry.state);
  EXPECT_THAT(states, ElementsAre(State::checking, State::queued, State::running));
  EXPECT_EQ(store_->history_position(), 3);
  store_->update(*store_->find(id), "", "something happened");
  EXPECT_EQ(store_->history(id).back().reason, "something happened");
}

TEST_F(StoreFile, RemembersMutationsAcrossAReopen) {
  const int64_t id = add("a", "m-1");
  reopen();
  EXPECT_EQ(store_->job_of_mutation("m-1"), id);
  EXPECT_FALSE(store_->job_of_mutation("m-2"));
}

TEST_F(StoreFile, MakesAChangeAndItsMutationTogetherOrNotAtAll) {
  const int64_t id = add("a", "m-1");
  Job job = *store_->find(id);
  job.status = Queued{"waits"};
  EXPECT_THROW(store_->update(job, "m-1"), Error);  // the mutation's id is taken
  EXPECT_EQ(state_of(store_->find(id)->status), State::checking);
}

TEST_F(StoreFile, KnowsATakenFolderAgain) {
  const int64_t id = add("a");
  EXPECT_EQ(store_->job_of_folder({8, 4711, 1234567890123}), id);
  EXPECT_FALSE(store_->job_of_folder({8, 4711, 1}));
}

TEST_F(StoreFile, ListsNewestFirstByStateAndName) {
  const int64_t a = add("a");
  const int64_t b = add("b");
  const int64_t c = add("a");
  move_to(b, Queued{"waits"});
  const auto ids = [&](const std::vector<State>& states, const std::string& name, int64_t limit) {
    std::vector<int64_t> found;
    for (const auto& job : store_->list(states, name, limit)) found.push_back(job.id);
    return found;
  };
  EXPECT_THAT(ids({}, "", 0), ElementsAre(c, b, a));
  EXPECT_THAT(ids({}, "", 2), ElementsAre(c, b));
  EXPECT_THAT(ids({State::queued}, "", 0), ElementsAre(b));
  EXPECT_THAT(ids({}, "a", 0), ElementsAre(c, a));
  EXPECT_THAT(ids({}, "a' OR 1=1 --", 0), ElementsAre());
  EXPECT_EQ(store_->newest_named("a"), c);
  EXPECT_FALSE(store_->newest_named("d"));
}

// A process that adds jobs and tells their ids is killed while it does: every id that it told is there.
TEST_F(StoreFile, LosesNothingThatWasAcknowledgedWhenKilled) {
  store_.reset();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Store store(file());
    for (;;) {
      std::vector<Job> jobs = {checked("x")};
      store.add(jobs);
      if (::write(ends[1], &jobs.front().id, sizeof(int64_t)) < 0) ::_exit(1);
    }
  }
  ::close(ends[1]);
  std::vector<int64_t> told;
  int64_t id = 0;
  while (told.size() < 50 && ::read(ends[0], &id, sizeof id) == sizeof id) told.push_back(id);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(ends[0], &id, sizeof id) == sizeof id) told.push_back(id);
  ::close(ends[0]);
  reopen();
  for (const int64_t acknowledged : told) EXPECT_TRUE(store_->find(acknowledged)) << acknowledged;
}

// Fixtures of past versions: what they wrote is read for ever.
TEST(StoreOfAPastVersion, IsReadWhole) {
  const TempDir folder;
  {
    SQLite::Database past((folder / "state.db").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    past.exec(read_file(std::filesystem::path(RFT_TEST_DATA_DIR) / "state-v1.sql"));
  }
  Store store(folder / "state.db");
  std::vector<std::string> states;
  for (const auto& job : store.list({}, "", 0)) states.emplace_back(to_string(state_of(job.status)));
  EXPECT_THAT(states, ElementsAre("cancelled", "queued", "failed", "rejected", "checking", "running",
                                  "paused", "retrying", "succeeded"));
  EXPECT_EQ(store.unfinished().size(), 5U);
  EXPECT_EQ(std::get<Running>(store.find(4)->status).request, Request::pause);
  EXPECT_EQ(store.find(1)->validation["base/validation"]["value"], 0.5);
  EXPECT_EQ(store.history(1).size(), 1U);
  EXPECT_EQ(store.find(1)->swaps.state, SwapState::none);
  std::vector<Job> more = {checked("more")};
  store.add(more);
  EXPECT_EQ(more.front().id, 10);
}

std::string refusal(const std::filesystem::path& file) {
  try {
    Store store(file);
  } catch (const Error& error) {
    return error.what();
  }
  return "opened";
}

TEST_F(StoreFile, RefusesADatabaseOfANewerVersionAndLeavesIt) {
  store_->add(*std::make_unique<std::vector<Job>>(1, checked("a")));
  store_.reset();
  {
    SQLite::Database outside(file().string(), SQLite::OPEN_READWRITE);
    outside.exec("PRAGMA user_version = 99");
  }
  const std::string before = read_file(file());
  EXPECT_THAT(refusal(file()), HasSubstr("written by a newer rftd (schema 99"));
  EXPECT_EQ(read_file(file()), before);
}

TEST_F(StoreFile, RefusesADamagedDatabaseAndLeavesIt) {
  for (int i = 0; i < 200; ++i) add("a job with some name to fill a few pages of the file");
  store_.reset();
  std::string bytes = read_file(file());
  ASSERT_GT(bytes.size(), 16384U);
  bytes.replace(4096, 8192, std::string(8192, '\xee'));
  write_text(file(), bytes);
  EXPECT_THAT(refusal(file()), HasSubstr("it was left as it is"));
  EXPECT_EQ(read_file(file()), bytes);
}

TEST_F(StoreFile, RefusesWhatIsNoDatabaseAndLeavesIt) {
  const auto other = write_text(folder_ / "other.db", "certainly not SQLite, whatever its name says");
  EXPECT_THAT(refusal(other), HasSubstr("it was left as it is"));
  EXPECT_EQ(read_file(other), "certainly not SQLite, whatever its name says");
}

}  // namespace
}  // namespace rft::jobs
