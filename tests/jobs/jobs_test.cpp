// The whole of the jobs, with real files, real plugin hosts and real worker processes; only the engine is a
// script (tests/support/scripted_worker.cpp).
#include "jobs/jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <sstream>

#include "base/files.h"
#include "base/sha256.h"
#include "support/temp_dir.h"
#include "support/tiny_model_folder.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kJobToml =
    "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n"
    "[retry]\nmax_attempts = 3\n";
constexpr const char* kTrain =
    "{\"task\": \"t\", \"input\": \"a\", \"output\": \"x\"}\n{\"task\": \"t\", \"input\": \"b\", \"output\": "
    "\"y\"}\n"
    "{\"task\": \"t\", \"input\": \"c\", \"output\": \"z\"}\n";

class Home : public ::testing::Test {
 protected:
  Home() {
    for (const char* name : {"incoming", "jobs", "rejected", "plugins", "models", "run", "programs"})
      fs::create_directories(root_ / name);
    write_tiny_model(root_ / "models/tiny");
    fs::create_symlink(fs::path(RFT_BIN_DIR) / "scripted_worker", root_ / "programs/rft-worker");
    fs::create_symlink(fs::path(RFT_BIN_DIR) / "rft-plugin-host", root_ / "programs/rft-plugin-host");
    config_.intake.settle_s = 0.1;
    config_.retry.first_delay_s = 0.05;
    config_.worker.stop_timeout_s = 3;
    start();
  }
  ~Home() override { stop(); }

  void start() {
    io_.emplace(1);
    jobs_.emplace(*io_, Jobs::Options{root_, root_ / "run/worker.sock", root_ / "programs", config_});
    jobs_->set_event_sink(
        [this](const std::string& topic, const Json& event) { events_.emplace_back(topic, event); });
    jobs_->start();
  }
  void stop() {
    if (!jobs_) return;
    bool stopped = false;
    jobs_->stop(500, [&] { stopped = true; });
    run_until([&] { return stopped; });
    crash();
  }
  // The daemon's end without a word to anybody: sockets close, the store stays as it is.
  void crash() {
    jobs_.reset();
    io_.reset();
  }

  bool run_until(const std::function<bool()>& condition, std::chrono::seconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < end) io_->run_one_for(20ms);
    return condition();
  }
  bool run_until_plugin(const std::string& name, const std::string& state) {
    return run_until([&] {
      for (const auto& row : jobs_->plugins())
        if (row.name == name && row.state == state) return true;
      return false;
    });
  }
  bool run_until_state(const std::string& job, State state) {
    return run_until([&] {
      for (const auto& view : jobs_->list({}))
        if (std::to_string(view.id) == job && view.state == state) return true;
      return false;
    });
  }

  fs::path make_folder(const std::string& name, const std::string& script = "finish\n") {
    const fs::path folder = temp_ / "made" / name;
    write_text(folder / "job.toml", kJobToml);
    write_text(folder / "train.jsonl", kTrain);
    write_text(folder / "script", script);
    return folder;
  }
  void drop(const fs::path& folder) { fs::rename(folder, root_ / "incoming" / folder.filename()); }
  // Drops a folder and answers its id once it has one.
  std::string drop_job(const std::string& name, const std::string& script = "finish\n") {
    drop(make_folder(name, script));
    run_until(
        [&] { return !jobs_->list({.name = name}).empty() && jobs_->list({.name = name}).front().id != 0; });
    return std::to_string(jobs_->list({.name = name}).front().id);
  }
  std::string submit(const fs::path& folder) {
    const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "", done); });
    return std::to_string(answer.job.id);
  }
  // The reasons with which a job was in that state.
  std::vector<std::string> reasons_published(const std::string& job, const std::string& state) {
    std::vector<std::string> reasons;
    for (const auto& [topic, event] : events_)
      if (topic == "job." + job + ".status" && event["state"] == state) reasons.push_back(event["reason"]);
    return reasons;
  }
  // The REASON.txt that a folder of this name ends with.
  std::string rejection_of(const fs::path& folder) {
    drop(folder);
    const fs::path file = root_ / "rejected" / folder.filename() / "REASON.txt";
    run_until([&] {
      const auto views = jobs_->list({.states = {State::rejected}});
      return !views.empty() && views.front().name == folder.filename();
    });
    return fs::exists(file) ? read_file(file) : "not rejected";
  }
  fs::path folder_of(const std::string& job) { return jobs_->folder(job); }
  std::string attempts_of(const std::string& job) { return read_file(folder_of(job) / "attempts.txt"); }
  std::vector<std::string> states_published(const std::string& job) {
    std::vector<std::string> states;
    for (const auto& [topic, event] : events_)
      if (topic == "job." + job + ".status" && (states.empty() || states.back() != event["state"]))
        states.push_back(event["state"]);
    return states;
  }
  Jobs::Answer answer_to(const std::function<void(Jobs::Done)>& ask) {
    std::optional<Jobs::Answer> answer;
    ask([&](const Jobs::Answer& given) { answer = given; });
    run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(Jobs::Answer{});
  }

  TempDir temp_;
  fs::path root_ = temp_ / "home";
  config::DaemonConfig config_;
  std::optional<boost::asio::io_context> io_;
  std::optional<Jobs> jobs_;
  std::vector<std::pair<std::string, Json>> events_;
};

// ---- the way through ----

TEST_F(Home, TakesADroppedFolderToItsEnd) {
  const std::string id = drop_job("fraud");
  ASSERT_TRUE(run_until_state(id, State::succeeded)) << jobs_->get(id).reason;
  EXPECT_THAT(states_published(id), ElementsAre("checking", "queued", "running", "succeeded"));
  EXPECT_FALSE(fs::exists(root_ / "incoming/fraud"));
  const fs::path folder = folder_of(id);
  EXPECT_EQ(folder, root_ / "jobs" / (id + "-fraud"));
  EXPECT_EQ(read_file(folder / "input/train.jsonl"), kTrain);
  EXPECT_THAT(read_file(folder / "data/train.jsonl"), HasSubstr("\"prompt\":\"t\\n"));
  EXPECT_THAT(jobs_->plan(id), HasSubstr("path = \"" + (root_ / "models/tiny").string()));
  EXPECT_THAT(jobs_->plan(id), HasSubstr("\"kind\" = \"shared_object\""));
  EXPECT_EQ(jobs_->get(id).result, Json({{"model", "model"}}));
  EXPECT_EQ(jobs_->get(id).validation["best"]["value"], 0.5);
  EXPECT_THAT(read_file(folder / "command.txt"), HasSubstr("--device cpu CUDA_VISIBLE_DEVICES="));
}

TEST_F(Home, PublishesWhatTheWorkerReports) {
  const std::string id = drop_job("fraud");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  std::vector<std::string> topics;
  for (const auto& [topic, event] : events_)
    if (topic != "job." + id + ".status" && topic.rfind("job.", 0) == 0)
      topics.push_back(topic.substr(("job." + id + ".").size()));
  EXPECT_THAT(topics, ElementsAre("progress", "metrics", "validation", "checkpoint", "log", "log"));
}

TEST_F(Home, CutsTheValidationSplitFromTheTrainingData) {
  const std::string id = drop_job("fraud");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  const auto count = [&](const char* split) {
    std::istringstream lines(read_file(folder_of(id) / "data" / split));
    int number = 0;
    for (std::string line; std::getline(lines, line);) ++number;
    return number;
  };
  EXPECT_EQ(count("train.jsonl"), 2);
  EXPECT_EQ(count("validation.jsonl"), 1);
}

TEST_F(Home, SubmitsACopyAndLeavesTheFolder) {
  const fs::path folder = make_folder("mine");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "m-1", done); });
  ASSERT_FALSE(answer.error);
  EXPECT_TRUE(fs::exists(root_ / "jobs" / (std::to_string(answer.job.id) + "-mine") / "input/job.toml"));
  EXPECT_TRUE(fs::exists(folder / "job.toml"));
  EXPECT_TRUE(run_until_state(std::to_string(answer.job.id), State::succeeded));
  EXPECT_TRUE(fs::exists(folder / "job.toml"));
}

TEST_F(Home, SubmitsAFolderThatIsNamedWithASlashAndNoneOfIncoming) {
  const fs::path folder = make_folder("mine");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder / "", "", done); });
  EXPECT_EQ(answer.job.name, "mine");
  write_text(root_ / "incoming/.tmp-x/job.toml", kJobToml);
  EXPECT_THROW(jobs_->submit(root_ / "incoming/.tmp-x", "", [](const Jobs::Answer&) {}), Error);
  EXPECT_THROW(jobs_->submit(temp_ / "nowhere", "", [](const Jobs::Answer&) {}), Error);
}

TEST_F(Home, DoesAMutationOnceAlsoAcrossARestart) {
  const fs::path folder = make_folder("mine");
  const auto first = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "m-1", done); });
  const auto again = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "m-1", done); });
  EXPECT_EQ(first.job.id, again.job.id);
  stop();
  start();
  const auto later = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "m-1", done); });
  EXPECT_EQ(first.job.id, later.job.id);
  EXPECT_EQ(jobs_->list({}).size(), 1U);
}

TEST_F(Home, NamesTheNewestJobUnlessAFolderOfThatNameSettles) {
  const std::string first = drop_job("twin");
  EXPECT_EQ(std::to_string(jobs_->get("twin").id), first);
  ASSERT_TRUE(run_until_state(first, State::succeeded));

  fs::create_directory(root_ / "incoming/twin");  // as cp -r begins, before any scan has seen it
  EXPECT_EQ(jobs_->get("twin").state, State::settling);
  EXPECT_EQ(std::to_string(jobs_->get(first).id), first);
  EXPECT_THROW(jobs_->plan("twin"), Error) << "not that of the first";
  fs::remove(root_ / "incoming/twin");

  const std::string second = submit(make_folder("twin"));
  EXPECT_NE(second, first);
  EXPECT_EQ(std::to_string(jobs_->get("twin").id), second);
  for (const char* unknown : {"nobody", "99999", "../jobs", "."}) {
    try {
      ADD_FAILURE() << jobs_->get(unknown).name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_found) << unknown;
    }
  }
}

TEST_F(Home, ChangesOneOfSeveralUnfinishedJobsByItsNumberOnly) {
  const std::string first = submit(make_folder("twin", "run\n")),
                    second = submit(make_folder("twin", "run\n"));
  for (const std::string& id : {first, second})
    ASSERT_TRUE(run_until([&] { return jobs_->get(id).state != State::checking; }));
  try {
    jobs_->pause("twin", "", [](const Jobs::Answer&) {});
    ADD_FAILURE() << "paused one of them";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), HasSubstr(first + ", " + second));
  }
  answer_to([&](Jobs::Done done) { jobs_->cancel(second, "", done); });
  const auto retried = answer_to([&](Jobs::Done done) { jobs_->retry("twin", "", done); });
  EXPECT_EQ(std::to_string(retried.job.id), second) << "the newest, since only one is unfinished";
}

TEST_F(Home, LetsOneJobRunOnTheMachineAndSaysWhyTheOthersWait) {
  const std::string first = drop_job("first", "run\n");
  ASSERT_TRUE(run_until_state(first, State::running));
  const std::string second = drop_job("second");
  ASSERT_TRUE(run_until_state(second, State::queued));
  EXPECT_THAT(jobs_->get(second).reason, HasSubstr("0 are free"));
  EXPECT_THAT(jobs_->why(second).details, Contains(HasSubstr("held by job " + first)));
  answer_to([&](Jobs::Done done) { jobs_->cancel(first, "", done); });
  EXPECT_TRUE(run_until_state(second, State::succeeded));
}

TEST_F(Home, LetsAJobWaitForTheMemoryThatAnotherHolds) {
  stop();
  config_.capacity.memory_gb = 0.5;
  start();
  const auto drop_small = [&](const std::string& name, const std::string& script) {
    const fs::path folder = make_folder(name, script);
    write_text(folder / "job.toml", std::string(kJobToml) + "[resources]\ncores = 1\n");
    drop(folder);
    run_until(
        [&] { return !jobs_->list({.name = name}).empty() && jobs_->list({.name = name}).front().id != 0; });
    return std::to_string(jobs_->list({.name = name}).front().id);
  };
  const std::string first = drop_small("first", "run\n");
  ASSERT_TRUE(run_until_state(first, State::running));
  EXPECT_GT(jobs_->memory(first).at("bytes"), 100'000'000);
  const std::string second = drop_small("second", "finish\n");
  ASSERT_TRUE(run_until_state(second, State::queued));
  EXPECT_THAT(jobs_->get(second).reason, HasSubstr("of 500 MB of memory, and"));
  answer_to([&](Jobs::Done done) { jobs_->cancel(first, "", done); });
  EXPECT_TRUE(run_until_state(second, State::succeeded));
}

TEST_F(Home, CountsTheShotsBeforeAPromptInAJobsMemory) {
  const fs::path file = root_ / "models/tiny/config.json";
  Json model = parse_json(read_file(file), "config.json");
  model["max_position_embeddings"] = 4096;
  write_text(file, model.dump());
  const auto cache_of = [&](const std::string& name, const std::string& data_keys) {
    const fs::path folder = make_folder(name);
    std::string toml = kJobToml;
    toml.insert(toml.find("train ="), data_keys);
    write_text(folder / "job.toml", toml);
    std::string records;
    for (const char* word : {"a", "b", "c"})
      records += Json{{"task", std::string(400, 't')}, {"input", word}, {"output", word}}.dump() + "\n";
    write_text(folder / "train.jsonl", records);
    drop(folder);
    EXPECT_TRUE(
        run_until([&] { return !jobs_->list({.states = {State::succeeded}, .name = name}).empty(); }));
    const std::string id = std::to_string(jobs_->list({.name = name}).front().id);
    const Json memory = jobs_->memory(id);
    for (const Json& term : memory.at("terms"))
      if (term.at("name") == "KV cache") return term.at("bytes").get<int64_t>();
    return int64_t{0};
  };
  const int64_t without = cache_of("without", "");
  EXPECT_GT(cache_of("with", "shots = 1\n"), without + without / 2);
}

// ---- what an owner asks ----

TEST_F(Home, PausesAndResumes) {
  const std::string id = drop_job("fraud", "run\nfinish\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  const auto paused = answer_to([&](Jobs::Done done) { jobs_->pause(id, "", done); });
  EXPECT_EQ(paused.job.state, State::paused);
  EXPECT_THAT(paused.job.reason, HasSubstr("resume"));
  EXPECT_EQ(attempts_of(id), "start 1\npause 1\nend 1\n");
  answer_to([&](Jobs::Done done) { jobs_->resume(id, "", done); });
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(jobs_->get(id).attempt, 2);
}

TEST_F(Home, AJobThatPausesByItselfWaitsForItsOwnerWithTheReason) {
  const std::string id = drop_job("fraud", "pause\nwarned\n");
  ASSERT_TRUE(run_until_state(id, State::paused));
  EXPECT_EQ(jobs_->get(id).reason, "paused by [watch] length; resume it to go on");
  EXPECT_EQ(jobs_->get(id).warnings, std::vector<std::string>{"length: completions grow"});
  EXPECT_THAT(jobs_->why(id).details, Contains("warning: length: completions grow"));
  answer_to([&](Jobs::Done done) { jobs_->resume(id, "", done); });
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_THAT(jobs_->why(id).details, Contains("warning: length: completions grew"));
}

// ---- another scorer ----

TEST_F(Home, SwapsAScorerAndAnswersOnceTheWorkerHasTakenIt) {
  const std::string id = drop_job("fraud", "swap\n");
  ASSERT_TRUE(run_until_state(id, State::running));
  write_text(temp_ / "strict.py", "def score(episodes):\n    return [0.5 for e in episodes]\n");
  const auto swap = [&](Jobs::Done done) {
    jobs_->swap_scorer(id, {.file = temp_ / "strict.py", .options = Json{{"bonus", 2}}}, "m-1", done);
  };
  const auto answer = answer_to(swap);
  ASSERT_FALSE(answer.error) << answer.error->what();
  EXPECT_EQ(answer.job.scorer, "strict.py");
  EXPECT_EQ(answer.job.scorer_swap["state"], "taken");
  EXPECT_EQ(answer.job.scorer_swap["iteration"], 3);
  EXPECT_EQ(answer.job.scorer_swap["options"]["bonus"], 2);
  EXPECT_THAT(jobs_->why(id).details,
              Contains(HasSubstr("the scorer strict.py {\"bonus\":2} took the place of exact_match")));
  EXPECT_TRUE(std::ranges::any_of(events_, [&](const auto& event) {
    return event.first == "job." + id + ".scorer" && event.second["taken"] == true;
  }));

  // The same mutation again, also after a restart, is answered and does nothing; the next attempt is told of
  // what the job has now, in case its resume point does not know.
  stop();
  start();
  ASSERT_TRUE(run_until_state(id, State::running));
  EXPECT_EQ(answer_to(swap).job.scorer_swap["number"], 1);
  ASSERT_TRUE(run_until([&] { return attempts_of(id).find("told of strict.py 2") != std::string::npos; }));
  EXPECT_EQ(jobs_->get(id).scorer_swap["number"], 1);
}

TEST_F(Home, SaysWhyAScorerWasRefusedAndKeepsTheOld) {
  const std::string id = drop_job("fraud", "refuse\n");
  ASSERT_TRUE(run_until_state(id, State::running));
  const auto answer =
      answer_to([&](Jobs::Done done) { jobs_->swap_scorer(id, {.plugin = "numeric"}, "", done); });
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code(), ErrorCode::plugin);
  EXPECT_STREQ(answer.error->what(), "it scores nothing");
  EXPECT_EQ(jobs_->get(id).scorer, "exact_match");
  EXPECT_EQ(jobs_->get(id).scorer_swap["state"], "refused");
}

TEST_F(Home, KeepsASwapForTheNextAttemptOfAJobThatIsPaused) {
  const std::string id = drop_job("fraud", "run\nswap\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  // The worker does not come to it before it is paused: whoever waits is answered then.
  std::optional<Jobs::Answer> first;
  jobs_->swap_scorer(id, {.plugin = "numeric"}, "m-1", [&](const Jobs::Answer& given) { first = given; });
  ASSERT_TRUE(run_until([&] { return attempts_of(id).find("told of numeric 1") != std::string::npos; }));
  EXPECT_FALSE(first);
  answer_to([&](Jobs::Done done) { jobs_->pause(id, "", done); });
  ASSERT_TRUE(run_until([&] { return first.has_value(); }));
  EXPECT_EQ(first->job.scorer_swap["state"], "pending");
  EXPECT_EQ(first->job.scorer, "exact_match");

  // A later one takes its place, and is there after a restart.
  const auto second =
      answer_to([&](Jobs::Done done) { jobs_->swap_scorer(id, {.plugin = "classification"}, "m-2", done); });
  EXPECT_EQ(second.job.scorer_swap["number"], 2);
  EXPECT_EQ(second.job.scorer_swap["state"], "pending");
  stop();
  start();
  const auto superseded =
      answer_to([&](Jobs::Done done) { jobs_->swap_scorer(id, {.plugin = "numeric"}, "m-1", done); });
  EXPECT_THAT(superseded.error.value().what(), HasSubstr("a later swap, to classification, took its place"));
  answer_to([&](Jobs::Done done) { jobs_->resume(id, "", done); });
  ASSERT_TRUE(run_until([&] { return jobs_->get(id).scorer == "classification"; }));
  EXPECT_THAT(attempts_of(id), HasSubstr("unattended classification 2")) << "nobody waits for its answer";
}

TEST_F(Home, RefusesToSwapForWhatIsNoScorerAndInAJobThatHasEnded) {
  const std::string id = drop_job("fraud", "run\n");
  ASSERT_TRUE(run_until_state(id, State::running));
  const auto error_of = [&](const ScorerChoice& choice) {
    const auto answer = answer_to([&](Jobs::Done done) { jobs_->swap_scorer(id, choice, "", done); });
    return answer.error ? std::string(answer.error->what()) : "taken";
  };
  EXPECT_THAT(error_of({.plugin = "regexp"}),
              HasSubstr("[scorer] plugin = \"regexp\": there is no scorer \"regexp\""));
  EXPECT_THAT(error_of({.plugin = "multi", .options = Json{{"graders", Json::object()}}}),
              HasSubstr("[scorer] options: "));
  EXPECT_THAT(error_of({.file = write_text(temp_ / "notes.txt", "not a scorer")}), HasSubstr("notes.txt"));
  answer_to([&](Jobs::Done done) { jobs_->cancel(id, "", done); });
  EXPECT_THROW(jobs_->swap_scorer(id, {.plugin = "regex"}, "", [](const Jobs::Answer&) {}), Error);
}

TEST_F(Home, CancelsARunningJobAndTakesItUpAgain) {
  const std::string id = drop_job("fraud", "run\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::running));
  const auto cancelled = answer_to([&](Jobs::Done done) { jobs_->cancel(id, "", done); });
  EXPECT_EQ(cancelled.job.state, State::cancelled);
  EXPECT_THROW(jobs_->pause(id, "", [](const Jobs::Answer&) {}), Error);
  answer_to([&](Jobs::Done done) { jobs_->retry(id, "", done); });
  EXPECT_TRUE(run_until_state(id, State::succeeded));
}

TEST_F(Home, KillsAWorkerThatDoesNotListen) {
  config_.worker.stop_timeout_s = 0.3;
  stop();
  start();
  const std::string id = drop_job("fraud", "deaf\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  const auto paused = answer_to([&](Jobs::Done done) { jobs_->pause(id, "", done); });
  EXPECT_EQ(paused.job.state, State::paused);
}

TEST_F(Home, AnswersAWaitAtTheEnd) {
  const std::string id = drop_job("fraud");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->wait(id, done); });
  EXPECT_EQ(answer.job.state, State::succeeded);
}

// ---- how workers fail ----

TEST_F(Home, RetriesACrashAndRecordsItsCause) {
  const std::string id = drop_job("fraud", "kill\nabort\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  std::vector<std::string> reasons;
  for (const auto& [topic, event] : events_)
    if (event.value("state", "") == "retrying") reasons.push_back(event["reason"]);
  EXPECT_THAT(reasons, ElementsAre("its worker was killed by signal 9 (Killed)",
                                   "its worker was killed by signal 6 (Aborted)"));
  EXPECT_EQ(jobs_->get(id).attempt, 3);
  EXPECT_EQ(jobs_->get(id).num_failures, 2);
}

TEST_F(Home, GivesUpAfterMaxAttemptsAndShowsTheCause) {
  const std::string id = drop_job("fraud", "quit\n");
  ASSERT_TRUE(run_until_state(id, State::failed));
  const auto view = jobs_->get(id);
  EXPECT_EQ(view.attempt, 3);
  EXPECT_THAT(view.reason,
              HasSubstr("given up after 3 failed attempts; the last: its worker exited with code 3"));
  EXPECT_THAT(view.reason, HasSubstr("something is badly wrong"));
}

TEST_F(Home, DoesNotRetryWhatWouldFailAgain) {
  const std::string id = drop_job("fraud", "fail\n");
  ASSERT_TRUE(run_until_state(id, State::failed));
  EXPECT_EQ(jobs_->get(id).attempt, 1);
  EXPECT_EQ(jobs_->get(id).reason, "the scorer crashed");
  EXPECT_EQ(jobs_->get(id).code, "plugin");
  EXPECT_EQ(to_json(jobs_->get(id))["failure"], "crashed");
}

TEST_F(Home, RetriesWhatTheWorkerCallsTransient) {
  const std::string id = drop_job("fraud", "transient\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(jobs_->get(id).attempt, 2);
}

TEST_F(Home, KillsAWorkerThatNeverConnects) {
  config_.worker.connect_timeout_s = 0.3;
  stop();
  start();
  const std::string id = drop_job("fraud", "mute\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_THAT(jobs_->why(id).details, Contains(HasSubstr("did not report within 0.3 s")));
}

TEST_F(Home, FailsAJobWhoseDataWereChangedAfterItsAdmission) {
  const std::string first = drop_job("first", "run\n");
  ASSERT_TRUE(run_until_state(first, State::running));
  const std::string second = drop_job("second");
  ASSERT_TRUE(run_until_state(second, State::queued));
  write_text(folder_of(second) / "data/train.jsonl", "{}\n");
  answer_to([&](Jobs::Done done) { jobs_->cancel(first, "", done); });
  ASSERT_TRUE(run_until_state(second, State::failed));
  EXPECT_THAT(jobs_->get(second).reason, HasSubstr("train.jsonl is not what the job was admitted with"));
}

// ---- how the daemon ends and starts ----

TEST_F(Home, TellsItsWorkersToStopAndGoesOnAtTheNextStart) {
  const std::string id = drop_job("fraud", "run\nfinish\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  stop();
  EXPECT_EQ(read_file(root_ / "jobs" / (id + "-fraud") / "attempts.txt"), "start 1\nstop 1\nend 1\n");
  start();
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(jobs_->get(id).attempt, 2);
  EXPECT_EQ(jobs_->get(id).num_failures, 0);
}

TEST_F(Home, FencesAWorkerThatOutlivesItsDaemon) {
  const std::string id = drop_job("fraud", "linger\nfinish\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  crash();
  start();
  run_until([&] { return false; }, 0s);
  EXPECT_EQ(jobs_->get(id).state, State::running);
  EXPECT_THAT(jobs_->get(id).reason, HasSubstr("attempt 1 outlived its daemon"));
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(attempts_of(id), "start 1\norphaned 1\nend 1\nstart 2\nend 2\n");
  EXPECT_THAT(jobs_->why(id).details, Contains(HasSubstr("the daemon ended")));
}

TEST_F(Home, KillsASurvivorThatDoesNotEnd) {
  config_.worker.stop_timeout_s = 0.5;
  stop();
  start();
  const std::string id = drop_job("fraud", "deaf\nfinish\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  crash();
  start();
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(attempts_of(id), "start 1\nstart 2\nend 2\n");
}

TEST_F(Home, KeepsAPauseThatWasAskedForBeforeACrash) {
  const std::string id = drop_job("fraud", "linger\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  jobs_->pause(id, "", [](const Jobs::Answer&) {});
  crash();
  start();
  EXPECT_TRUE(run_until_state(id, State::paused));
}

TEST_F(Home, ContinuesATakingThatACrashBrokeOff) {
  for (int i = 0; i < 20; ++i) drop(make_folder("job" + std::to_string(i)));
  run_until([&] { return !jobs_->list({}).empty(); });  // rows are there, copies are not
  crash();
  start();
  const auto count = [&](State state) { return jobs_->list({.states = {state}}).size(); };
  EXPECT_TRUE(run_until([&] { return count(State::succeeded) == 20; }, 60s)) << count(State::succeeded);
  EXPECT_EQ(jobs_->list({}).size(), 20U);
  EXPECT_TRUE(fs::is_empty(root_ / "incoming"));
}

// ---- plugins that come and change ----

constexpr const char* kGrader = "def grade(sample, item): return 1.0\n";
constexpr const char* kOtherGrader = "def grade(sample, item): return 0.5\n";
constexpr const char* kWaitsForGrader = "waits for the plugin \"grader\"";

class Plugins : public Home {
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

// ---- what is no job ----

TEST_F(Home, RejectsAFolderWithoutJobToml) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "job.toml");
  EXPECT_THAT(rejection_of(folder), HasSubstr("no job.toml in the folder; add one"));
  EXPECT_EQ(read_file(root_ / "rejected/bad/train.jsonl"), kTrain);
  EXPECT_FALSE(fs::exists(root_ / "incoming/bad"));
}

TEST_F(Home, RejectsABadConfigurationWithFileLineAndMend) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[training]\nepoch = 2\n");
  EXPECT_EQ(rejection_of(folder), "job.toml:10: unknown key [training] epoch; did you mean epochs?\n");
}

TEST_F(Home, RejectsAMissingDataFile) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "train.jsonl");
  EXPECT_THAT(
      rejection_of(folder),
      HasSubstr("job.toml:4: [data] train = \"train.jsonl\": train.jsonl is not in the job folder; add it"));
}

TEST_F(Home, RejectsAMalformedLineWithItsNumber) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", std::string(kTrain) + "{\"input\": \n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("train.jsonl:4: "));
}

TEST_F(Home, RejectsARecordWithoutInput) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", std::string(kTrain) + "{\"task\": \"t\"}\n");
  const std::string reason = rejection_of(folder);
  EXPECT_THAT(reason, HasSubstr("train.jsonl:4: "));
  EXPECT_THAT(reason, HasSubstr("input"));
}

TEST_F(Home, RejectsAnEmptySplit) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", "\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("train.jsonl: no record in it"));
}

TEST_F(Home, RejectsASingleRecordThatShouldBeSplit) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "train.jsonl", "{\"input\": \"a\"}\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("a validation split is to be cut from it"));
}

TEST_F(Home, RejectsMoreShotsThanTheTrainingSplitHasAnswersFor) {
  const fs::path folder = make_folder("bad");
  std::string toml = kJobToml;
  toml.insert(toml.find("train ="), "shots = 2\n");
  write_text(folder / "job.toml", toml);
  EXPECT_THAT(rejection_of(folder),
              HasSubstr("[data] shots = 2 needs 3 records of train.jsonl that have an "
                        "`output` and differ in their prompts; the training split has 2"));
}

TEST_F(Home, RejectsAnUnknownScorerAndAdapter) {
  fs::path folder = make_folder("bad");
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_mash\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("did you mean \"exact_match\"?"));
  EXPECT_THROW(jobs_->folder("bad"), Error) << "it has no log";
  folder = make_folder("worse");
  write_text(folder / "job.toml",
             "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\nadapter = "
             "\"jsonn\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("jsonn"));
}

TEST_F(Home, RejectsAScorerThatIsNoPlugin) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "scorer.so", "not an ELF file");
  write_text(folder / "job.toml",
             "[model]\npath = \"tiny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"scorer.so\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("scorer.so"));
}

TEST_F(Home, RejectsAMissingAndAnUnsupportedModel) {
  fs::path folder = make_folder("bad");
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tinny\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("(which holds tiny) nor in the job folder"));
  folder = make_folder("worse");
  write_text(folder / "model/config.json", "{\"architectures\": [\"MambaForCausalLM\"]}");
  write_text(folder / "model/model.safetensors", read_file(root_ / "models/tiny/model.safetensors"));
  write_text(
      folder / "job.toml",
      "[model]\npath = \"model\"\n[data]\ntrain = \"train.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("cannot train it: architectures = MambaForCausalLM"));
}

TEST_F(Home, RejectsPathsThatLeadOut) {
  fs::path folder = make_folder("bad");
  write_text(temp_ / "made/outside.jsonl", kTrain);
  write_text(
      folder / "job.toml",
      "[model]\npath = \"tiny\"\n[data]\ntrain = \"../outside.jsonl\"\n[scorer]\nplugin = \"exact_match\"\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("leads out of the job folder"));
  folder = make_folder("link");
  fs::create_symlink(temp_ / "made/outside.jsonl", folder / "extra.jsonl");
  EXPECT_THAT(rejection_of(folder), HasSubstr("extra.jsonl is a symbolic link"));
  EXPECT_TRUE(fs::is_symlink(root_ / "rejected/link/extra.jsonl"));  // untouched
  folder = make_folder("fifo");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(rejection_of(folder), HasSubstr("pipe is a FIFO"));
}

TEST_F(Home, DoesNotFollowALinkThatStandsWhereItsReasonGoes) {
  const fs::path folder = make_folder("bad");
  fs::remove(folder / "job.toml");
  write_text(temp_ / "precious", "precious");
  fs::create_symlink(temp_ / "precious", folder / "REASON.txt");
  EXPECT_THAT(rejection_of(folder), HasSubstr("REASON.txt is a symbolic link"));
  EXPECT_EQ(read_file(temp_ / "precious"), "precious");
}

TEST_F(Home, RejectsAStrayFile) {
  write_text(temp_ / "made/stray.jsonl", "{}");
  drop(temp_ / "made/stray.jsonl");
  ASSERT_TRUE(run_until([&] { return fs::exists(root_ / "rejected/stray.jsonl/REASON.txt"); }));
  EXPECT_THAT(read_file(root_ / "rejected/stray.jsonl/REASON.txt"), HasSubstr("stray.jsonl is not a folder"));
  EXPECT_EQ(read_file(root_ / "rejected/stray.jsonl/stray.jsonl"), "{}");
}

TEST_F(Home, RejectsWhatTheMachineCanNeverGive) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[resources]\ncores = 4096\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("asks for 4096 cores"));
}

TEST_F(Home, RejectsMoreRanksThanTheMachineHasCores) {
  const fs::path folder = make_folder("bad");
  write_text(folder / "job.toml", std::string(kJobToml) + "[resources]\nranks = 250\n");
  EXPECT_THAT(rejection_of(folder), HasSubstr("asks for 250 cores"));
}

TEST_F(Home, RejectsWhatCanNeverHaveItsMemoryWithTheNumbers) {
  const fs::path limited = make_folder("limited");
  write_text(limited / "job.toml", std::string(kJobToml) + "[resources]\nmemory_gb = 0.1\n");
  EXPECT_THAT(rejection_of(limited), HasSubstr("memory_gb = 0.1: it needs "));
  stop();
  config_.capacity.memory_gb = 0.1;
  start();
  const std::string reason = rejection_of(make_folder("large"));
  EXPECT_THAT(reason, HasSubstr(", and may take 100 MB"));
  EXPECT_THAT(reason, HasSubstr("process and data"));
}

TEST_F(Home, KeepsEarlierRejectionsOfTheSameName) {
  for (int i = 0; i < 2; ++i) {
    const fs::path folder = make_folder("bad");
    fs::remove(folder / "job.toml");
    drop(folder);
    ASSERT_TRUE(run_until(
        [&] { return jobs_->list({.states = {State::rejected}}).size() == static_cast<size_t>(i + 1); }));
  }
  EXPECT_TRUE(fs::exists(root_ / "rejected/bad/REASON.txt"));
  EXPECT_TRUE(fs::exists(root_ / "rejected/bad.2/REASON.txt"));
}

}  // namespace
}  // namespace rft::jobs
