#include "jobs/jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/files.h"
#include "jobs/job_home.h"
#include "support/write_text.h"

namespace rft::jobs {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// ---- the way through ----

TEST_F(JobHome, TakesADroppedFolderToItsEnd) {
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

TEST_F(JobHome, PublishesWhatTheWorkerReports) {
  const std::string id = drop_job("fraud");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  std::vector<std::string> topics;
  for (const auto& [topic, event] : events_)
    if (topic != "job." + id + ".status" && topic.rfind("job.", 0) == 0)
      topics.push_back(topic.substr(("job." + id + ".").size()));
  EXPECT_THAT(topics, ElementsAre("progress", "metrics", "validation", "checkpoint", "log", "log"));
}

TEST_F(JobHome, CutsTheValidationSplitFromTheTrainingData) {
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

TEST_F(JobHome, SubmitsACopyAndLeavesTheFolder) {
  const fs::path folder = make_folder("mine");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder, "m-1", done); });
  ASSERT_FALSE(answer.error);
  EXPECT_TRUE(fs::exists(root_ / "jobs" / (std::to_string(answer.job.id) + "-mine") / "input/job.toml"));
  EXPECT_TRUE(fs::exists(folder / "job.toml"));
  EXPECT_TRUE(run_until_state(std::to_string(answer.job.id), State::succeeded));
  EXPECT_TRUE(fs::exists(folder / "job.toml"));
}

TEST_F(JobHome, SubmitsAFolderThatIsNamedWithASlashAndNoneOfIncoming) {
  const fs::path folder = make_folder("mine");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->submit(folder / "", "", done); });
  EXPECT_EQ(answer.job.name, "mine");
  write_text(root_ / "incoming/.tmp-x/job.toml", kJobToml);
  EXPECT_THROW(jobs_->submit(root_ / "incoming/.tmp-x", "", [](const Jobs::Answer&) {}), Error);
  EXPECT_THROW(jobs_->submit(temp_ / "nowhere", "", [](const Jobs::Answer&) {}), Error);
}

TEST_F(JobHome, DoesAMutationOnceAlsoAcrossARestart) {
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

TEST_F(JobHome, NamesTheNewestJobUnlessAFolderOfThatNameSettles) {
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

TEST_F(JobHome, ChangesOneOfSeveralUnfinishedJobsByItsNumberOnly) {
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

TEST_F(JobHome, LetsOneJobRunOnTheMachineAndSaysWhyTheOthersWait) {
  const std::string first = drop_job("first", "run\n");
  ASSERT_TRUE(run_until_state(first, State::running));
  const std::string second = drop_job("second");
  ASSERT_TRUE(run_until_state(second, State::queued));
  EXPECT_THAT(jobs_->get(second).reason, HasSubstr("0 are free"));
  EXPECT_THAT(jobs_->why(second).details, Contains(HasSubstr("held by job " + first)));
  answer_to([&](Jobs::Done done) { jobs_->cancel(first, "", done); });
  EXPECT_TRUE(run_until_state(second, State::succeeded));
}

TEST_F(JobHome, LetsAJobWaitForTheMemoryThatAnotherHolds) {
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

TEST_F(JobHome, CountsTheShotsBeforeAPromptInAJobsMemory) {
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

TEST_F(JobHome, PausesAndResumes) {
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

TEST_F(JobHome, AJobThatPausesByItselfWaitsForItsOwnerWithTheReason) {
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

TEST_F(JobHome, SwapsAScorerAndAnswersOnceTheWorkerHasTakenIt) {
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

TEST_F(JobHome, SaysWhyAScorerWasRefusedAndKeepsTheOld) {
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

TEST_F(JobHome, KeepsASwapForTheNextAttemptOfAJobThatIsPaused) {
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

// A job that waits for its turn, too: whatever admission finds is said at once.
TEST_F(JobHome, ASwapMayAskForWhatTheFirstScorerDidNotNeedUnderTheSameRules) {
  config_.plugins.network = {"numeric"};
  stop();
  start();
  const std::string id = drop_job("fraud", "run\nswap\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  answer_to([&](Jobs::Done done) { jobs_->pause(id, "", done); });
  const auto swap = [&](const ScorerChoice& choice) {
    return answer_to([&](Jobs::Done done) { jobs_->swap_scorer(id, choice, "", done); });
  };
  const std::string asks = "[scorer]\nnetwork = true\ntimeout_s = 60\n";
  EXPECT_THAT(
      swap({.plugin = "exact_match", .settings = asks}).error.value().what(),
      StartsWith("[scorer] network: it asks for the network, which is the daemon's owner's to grant"));
  EXPECT_THAT(swap({.plugin = "numeric", .options = Json{{"tolerence", 1}}}).error.value().what(),
              HasSubstr("unknown option \"tolerence\""));
  const auto kept = swap({.plugin = "numeric", .settings = asks});
  ASSERT_FALSE(kept.error) << kept.error->what();
  EXPECT_EQ(kept.job.scorer_swap["state"], "pending");
  EXPECT_THAT(kept.job.scorer_swap["settings"].get<std::string>(),
              AllOf(HasSubstr("network = true"), HasSubstr("timeout_s = 60.0")));
  answer_to([&](Jobs::Done done) { jobs_->resume(id, "", done); });
  ASSERT_TRUE(run_until([&] { return jobs_->get(id).scorer == "numeric"; }));

  // What the present one was given stays, unless the next swap says otherwise.
  EXPECT_THAT(swap({.plugin = "exact_match"}).error.value().what(), HasSubstr("it asks for the network"));
  const auto without = swap({.plugin = "exact_match", .settings = "[scorer]\nnetwork = false"});
  ASSERT_FALSE(without.error) << without.error->what();
  EXPECT_THAT(without.job.scorer_swap["settings"].get<std::string>(), HasSubstr("timeout_s = 60.0"));
}

TEST_F(JobHome, RefusesToSwapForWhatIsNoScorerAndInAJobThatHasEnded) {
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

TEST_F(JobHome, CancelsARunningJobAndTakesItUpAgain) {
  const std::string id = drop_job("fraud", "run\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::running));
  const auto cancelled = answer_to([&](Jobs::Done done) { jobs_->cancel(id, "", done); });
  EXPECT_EQ(cancelled.job.state, State::cancelled);
  EXPECT_THROW(jobs_->pause(id, "", [](const Jobs::Answer&) {}), Error);
  answer_to([&](Jobs::Done done) { jobs_->retry(id, "", done); });
  EXPECT_TRUE(run_until_state(id, State::succeeded));
}

TEST_F(JobHome, KillsAWorkerThatDoesNotListen) {
  config_.worker.stop_timeout_s = 0.3;
  stop();
  start();
  const std::string id = drop_job("fraud", "deaf\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  const auto paused = answer_to([&](Jobs::Done done) { jobs_->pause(id, "", done); });
  EXPECT_EQ(paused.job.state, State::paused);
}

TEST_F(JobHome, AnswersAWaitAtTheEnd) {
  const std::string id = drop_job("fraud");
  const auto answer = answer_to([&](Jobs::Done done) { jobs_->wait(id, done); });
  EXPECT_EQ(answer.job.state, State::succeeded);
}

// ---- how workers fail ----

TEST_F(JobHome, RetriesACrashAndRecordsItsCause) {
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

TEST_F(JobHome, GivesUpAfterMaxAttemptsAndShowsTheCause) {
  const std::string id = drop_job("fraud", "quit\n");
  ASSERT_TRUE(run_until_state(id, State::failed));
  const auto view = jobs_->get(id);
  EXPECT_EQ(view.attempt, 3);
  EXPECT_THAT(view.reason,
              HasSubstr("given up after 3 failed attempts; the last: its worker exited with code 3"));
  EXPECT_THAT(view.reason, HasSubstr("something is badly wrong"));
}

TEST_F(JobHome, DoesNotRetryWhatWouldFailAgain) {
  const std::string id = drop_job("fraud", "fail\n");
  ASSERT_TRUE(run_until_state(id, State::failed));
  EXPECT_EQ(jobs_->get(id).attempt, 1);
  EXPECT_EQ(jobs_->get(id).reason, "the scorer crashed");
  EXPECT_EQ(jobs_->get(id).code, "plugin");
  EXPECT_EQ(to_json(jobs_->get(id))["failure"], "crashed");
}

TEST_F(JobHome, RetriesWhatTheWorkerCallsTransient) {
  const std::string id = drop_job("fraud", "transient\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(jobs_->get(id).attempt, 2);
}

TEST_F(JobHome, KillsAWorkerThatNeverConnects) {
  config_.worker.connect_timeout_s = 0.3;
  stop();
  start();
  const std::string id = drop_job("fraud", "mute\nfinish\n");
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_THAT(jobs_->why(id).details, Contains(HasSubstr("did not report within 0.3 s")));
}

TEST_F(JobHome, FailsAJobWhoseDataWereChangedAfterItsAdmission) {
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

TEST_F(JobHome, TellsItsWorkersToStopAndGoesOnAtTheNextStart) {
  const std::string id = drop_job("fraud", "run\nfinish\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  stop();
  EXPECT_EQ(read_file(root_ / "jobs" / (id + "-fraud") / "attempts.txt"), "start 1\nstop 1\nend 1\n");
  start();
  ASSERT_TRUE(run_until_state(id, State::succeeded));
  EXPECT_EQ(jobs_->get(id).attempt, 2);
  EXPECT_EQ(jobs_->get(id).num_failures, 0);
}

TEST_F(JobHome, FencesAWorkerThatOutlivesItsDaemon) {
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

TEST_F(JobHome, KillsASurvivorThatDoesNotEnd) {
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

TEST_F(JobHome, KeepsAPauseThatWasAskedForBeforeACrash) {
  const std::string id = drop_job("fraud", "linger\n");
  ASSERT_TRUE(run_until([&] { return !jobs_->get(id).metrics.is_null(); }));
  jobs_->pause(id, "", [](const Jobs::Answer&) {});
  crash();
  start();
  EXPECT_TRUE(run_until_state(id, State::paused));
}

TEST_F(JobHome, ContinuesATakingThatACrashBrokeOff) {
  for (int i = 0; i < 20; ++i) drop(make_folder("job" + std::to_string(i)));
  run_until([&] { return !jobs_->list({}).empty(); });  // rows are there, copies are not
  crash();
  start();
  const auto count = [&](State state) { return jobs_->list({.states = {state}}).size(); };
  EXPECT_TRUE(run_until([&] { return count(State::succeeded) == 20; }, 60s)) << count(State::succeeded);
  EXPECT_EQ(jobs_->list({}).size(), 20U);
  EXPECT_TRUE(fs::is_empty(root_ / "incoming"));
}

}  // namespace
}  // namespace rft::jobs
